import { create } from '@bufbuild/protobuf';
import { type TaskObject, timestampFromMs } from '@skep/wire';
import { TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import { demandOf, isAttachment } from './demand.js';
import type { NodeInfo } from './node-info.js';
import { Pipeline } from './pipeline.js';
import { choices } from './spread.js';

const NO_NODE = 'no suitable node';

export interface Placed {
  /** The tasks that found a node, as they shall be stored. The nodes have them already. */
  assigned: TaskObject[];
  /** The tasks that did not. */
  refused: TaskObject[];
  /** Why not, in Docker's words; '' when all did. */
  refusal: string;
}

/** When the decision is taken: for statuses, and (monotonic) for the memory of failures. */
export interface PlaceTime {
  nowMs: number;
  monotonicMs: number;
}

/**
 * Finds nodes for tasks that are alike (same service and version of its spec), spreading them. Assigned tasks
 * are put on their nodes, so that the next call sees them there.
 */
export function place(
  tasks: readonly TaskObject[],
  nodes: readonly NodeInfo[],
  time: PlaceTime,
): Placed {
  const assigned: TaskObject[] = [];
  const [first] = tasks;
  if (!first) return { assigned, refused: [], refusal: '' };
  const pipeline = new Pipeline(first);
  const demand = demandOf(first);
  const timestamp = timestampFromMs(time.nowMs);
  const accepts = (node: NodeInfo) => pipeline.accepts(node);
  const choice = choices(first, nodes, accepts, time.monotonicMs);
  for (const task of tasks) {
    const found = choice.take((node) => {
      const assignedGenericResources = node.pickGeneric(demand);
      const status = create(TaskStatusSchema, {
        ...task.status,
        state: TaskState.ASSIGNED,
        timestamp,
        message: 'scheduler assigned task to node',
        err: '',
      });
      const done = { ...task, nodeId: node.id, status, assignedGenericResources };
      node.put(done, demand);
      assigned.push(done);
      return pipeline.accepts(node);
    });
    if (!found) break;
  }
  const refused = tasks.slice(assigned.length);
  return { assigned, refused, refusal: refused.length > 0 ? refusalOf(pipeline, nodes) : '' };
}

function refusalOf(pipeline: Pipeline, nodes: readonly NodeInfo[]): string {
  const { reasons, details } = pipeline.explain(nodes);
  if (reasons.length === 0) return NO_NODE;
  return withDetails(`${NO_NODE} (${reasons.join('; ')})`, details);
}

/** Docker's sentence comes first and whole: scripts look for it. */
function withDetails(sentence: string, details: readonly string[]): string {
  return details.length === 0 ? sentence : `${sentence}: ${details.join(', ')}`;
}

/**
 * Whether a task that was made for one node (of a global service) can run there. Puts it on the node when it
 * can; else returns the reason.
 */
export function confirm(
  task: TaskObject,
  node: NodeInfo | undefined,
  time: PlaceTime,
): TaskObject | string {
  if (!node) return NO_NODE;
  const pipeline = new Pipeline(task);
  if (!isAttachment(task) && !pipeline.accepts(node)) {
    const { reasons, details } = pipeline.explain([node]);
    return withDetails(reasons.join('; '), details);
  }
  const demand = demandOf(task);
  const status = create(TaskStatusSchema, {
    ...task.status,
    state: TaskState.ASSIGNED,
    timestamp: timestampFromMs(time.nowMs),
    message: 'scheduler confirmed task can run on preassigned node',
    err: '',
  });
  const done = { ...task, status, assignedGenericResources: node.pickGeneric(demand) };
  node.put(done, demand);
  return done;
}
