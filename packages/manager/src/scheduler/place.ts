import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { type TaskObject, timestampFromMs } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { demandOf, isAttachment } from './demand.js';
import { LOOKS_PER_TASK } from './limits.js';
import type { NodeInfo } from './node-info.js';
import type { NodeOrder } from './node-order.js';
import { Pipeline } from './pipeline.js';
import { choices, manyFailures, spreadKeys } from './spread.js';

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
 * are put on their nodes, so that the next call sees them there. `byLoad` are the same nodes; a few tasks among
 * many nodes are placed faster with it, on the same nodes as without.
 */
export function place(
  tasks: readonly TaskObject[],
  nodes: readonly NodeInfo[],
  time: PlaceTime,
  byLoad?: NodeOrder,
): Placed {
  const assigned: TaskObject[] = [];
  const [first] = tasks;
  if (!first) return { assigned, refused: [], refusal: '' };
  const pipeline = new Pipeline(first);
  const demand = demandOf(first);
  const timestamp = timestampFromMs(time.nowMs);
  const assign = (node: NodeInfo) => {
    const task = tasks[assigned.length] as TaskObject;
    const assignedGenericResources = node.pickGeneric(demand);
    const status = assignedStatus(task, timestamp, 'scheduler assigned task to node');
    const done = { ...task, nodeId: node.id, status, assignedGenericResources };
    node.put(done, demand);
    assigned.push(done);
  };
  const accepts = (node: NodeInfo) => pipeline.accepts(node);
  const few = byLoad && leastLoaded(first, tasks.length, byLoad, accepts, time.monotonicMs);
  for (const node of few ?? []) assign(node);
  if (!few) {
    const choice = choices(first, nodes, accepts, time.monotonicMs);
    const use = (node: NodeInfo) => {
      assign(node);
      return accepts(node);
    };
    while (assigned.length < tasks.length && choice.take(use));
  }
  const refused = tasks.slice(assigned.length);
  return { assigned, refused, refusal: refused.length > 0 ? refusalOf(pipeline, nodes) : '' };
}

/**
 * A node for each of a few tasks, found without a look at all of them: the least loaded of those that have none
 * of the service yet. Undefined where that does not settle it.
 */
function leastLoaded(
  task: TaskObject,
  count: number,
  byLoad: NodeOrder,
  accepts: (node: NodeInfo) => boolean,
  nowMs: number,
): NodeInfo[] | undefined {
  const looksMax = count * LOOKS_PER_TASK;
  if (looksMax >= byLoad.size || spreadKeys(task).length > 0) return undefined;
  const found: NodeInfo[] = [];
  let looks = 0;
  for (const node of byLoad.inOrder()) {
    if (looks++ === looksMax) return undefined;
    const isFresh = node.activeOfService(task.serviceId) === 0;
    if (!isFresh || manyFailures(task, node, nowMs) > 0 || !accepts(node)) continue;
    if (found.push(node) === count) return found;
  }
  return undefined;
}

function assignedStatus(task: TaskObject, timestamp: Timestamp, message: string) {
  return { ...task.status, state: TaskState.ASSIGNED, timestamp, message, err: '' };
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
  const timestamp = timestampFromMs(time.nowMs);
  const message = 'scheduler confirmed task can run on preassigned node';
  const status = assignedStatus(task, timestamp, message);
  const done = { ...task, status, assignedGenericResources: node.pickGeneric(demand) };
  node.put(done, demand);
  return done;
}
