import { create } from '@bufbuild/protobuf';
import type { Transaction } from '@skep/store';
import { type TaskObject, timestampFromMs } from '@skep/wire';
import { TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import type { Board } from './board.js';
import { isActive, isAttachment } from './demand.js';
import { takesTasks } from './filters.js';
import { confirm, type PlaceTime, place } from './place.js';

/** What the scheduler wants of one task: to be assigned, to be told why not, or to be over. */
export interface Decision {
  before: TaskObject;
  after: TaskObject;
}

/** Decides on up to about `limit` waiting tasks. What finds no room is set aside on the board. */
export function decide(board: Board, limit: number, time: PlaceTime): Decision[] {
  const decisions: Decision[] = [];
  while (decisions.length < limit) {
    const tasks = board.waiting.take(limit - decisions.length);
    if (tasks.length === 0) break;
    for (const before of tasks) {
      if (!isActive(before)) decisions.push({ before, after: neverStarted(before, time) });
    }
    decisions.push(...decideAlike(board, tasks.filter(isActive), time));
  }
  return decisions;
}

function decideAlike(board: Board, tasks: TaskObject[], time: PlaceTime): Decision[] {
  const [first] = tasks;
  if (!first) return [];
  if (first.nodeId) {
    const outcome = confirm(first, board.node(first.nodeId), time);
    if (typeof outcome !== 'string') return [{ before: first, after: outcome }];
    return refuse(board, tasks, outcome, time);
  }
  const { assigned, refused, refusal } = place(tasks, board.nodes, time, board.byLoad);
  const decisions = assigned.map((after, at) => ({ before: tasks[at] as TaskObject, after }));
  return [...decisions, ...refuse(board, refused, refusal, time)];
}

/** Tells tasks why they wait; those that know already are not written again. */
function refuse(
  board: Board,
  tasks: readonly TaskObject[],
  err: string,
  time: PlaceTime,
): Decision[] {
  const timestamp = timestampFromMs(time.nowMs);
  return board.waiting
    .refuse(tasks)
    .filter((before) => before.status.err !== err || !isActive(before))
    .map((before) => {
      if (!isActive(before)) return { before, after: neverStarted(before, time) };
      const status = create(TaskStatusSchema, { ...before.status, timestamp, err });
      return { before, after: { ...before, status } };
    });
}

/** A task that was asked to stop before it had a node: it has stopped. */
function neverStarted(task: TaskObject, time: PlaceTime): TaskObject {
  const status = create(TaskStatusSchema, {
    ...task.status,
    timestamp: timestampFromMs(time.nowMs),
    state: TaskState.SHUTDOWN,
    message: 'shutdown',
    err: '',
  });
  return { ...task, status };
}

/** Writes a decision, unless what is proposed by now contradicts it: then the task waits on, or is left. */
export function writeDecision(
  board: Board,
  tx: Transaction,
  { before, after }: Decision,
  time: PlaceTime,
): void {
  const current = tx.get('task', before.id);
  const assigns = after.status.state === TaskState.ASSIGNED;
  const undo = () => assigns && board.node(after.nodeId)?.drop(after.id);
  if (current?.status.state !== TaskState.PENDING || current.nodeId !== before.nodeId) {
    if (current?.nodeId !== after.nodeId) undo();
  } else if (!isActive(current)) {
    undo();
    tx.update('task', neverStarted(current, time));
  } else if (!assigns) {
    tx.update('task', { ...current, status: after.status });
  } else if (isOpen(tx, after)) {
    const { nodeId, status, assignedGenericResources } = after;
    const isSame = current === before;
    const assigned = isSame ? after : { ...current, nodeId, status, assignedGenericResources };
    tx.update('task', assigned);
  } else {
    undo();
    board.waiting.put(current);
  }
}

function isOpen(tx: Transaction, task: TaskObject): boolean {
  const node = tx.get('node', task.nodeId);
  return node !== undefined && (isAttachment(task) || takesTasks(node));
}
