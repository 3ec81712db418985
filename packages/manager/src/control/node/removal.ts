import { create } from '@bufbuild/protobuf';
import { EntryTooLargeError, type Store, type Transaction } from '@skep/store';
import { type NodeObject, type TaskObject, timestampFromMs } from '@skep/wire';
import { NodeRole, NodeStatus_State, TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import { findCluster, refuseCertificateOf } from '../cluster/refused-certificates.js';
import type { ControlContext } from '../context.js';
import { failedPrecondition, notFound } from '../errors.js';
import { memberOf } from './manager-status.js';

interface Removal {
  nodeId: string;
  force: boolean;
  nowMs: number;
  members: ControlContext['members'];
}

/**
 * Removes a node, refuses its certificate from now on, and gives its tasks up, for nobody will ever report
 * on them again; all in one transaction. Where they are too many for one, the tasks go first: then a node
 * that is left by a crash in between has at least not too much said of it.
 */
export async function removeNode(store: Store, removal: Removal): Promise<void> {
  try {
    await store.update((tx) => remove(tx, removal));
  } catch (error) {
    if (!(error instanceof EntryTooLargeError)) throw error;
    const tasks = openTasksOf(store.view.tasksOfNode(removal.nodeId));
    await store.batch(tasks, (tx, { id }) => {
      const task = tx.get('task', id);
      if (task && isOpen(task)) tx.update('task', orphaned(task, removal.nowMs));
    });
    await store.update((tx) => remove(tx, removal));
  }
}

function remove(tx: Transaction, { nodeId, force, nowMs, members }: Removal): void {
  const node = tx.get('node', nodeId);
  if (!node) throw notFound('node', nodeId);
  checkRemovable(node, force, members);
  tx.update('cluster', refuseCertificateOf(findCluster(tx), node, nowMs));
  for (const task of openTasksOf(tx.tasksOfNode(nodeId))) tx.update('task', orphaned(task, nowMs));
  tx.remove('node', nodeId);
}

function openTasksOf(tasks: Iterable<TaskObject>): TaskObject[] {
  return [...tasks].filter(isOpen);
}

/** Whether something may still be reported of the task. */
function isOpen({ status }: TaskObject): boolean {
  return status.state < TaskState.COMPLETE;
}

function orphaned(task: TaskObject, nowMs: number): TaskObject {
  const status = create(TaskStatusSchema, {
    state: TaskState.ORPHANED,
    timestamp: timestampFromMs(nowMs),
    message: 'Task belonged to a node that has been deleted',
  });
  return { ...task, status };
}

function checkRemovable(
  node: NodeObject,
  force: boolean,
  members: ControlContext['members'],
): void {
  if (node.spec.desiredRole === NodeRole.MANAGER && memberOf(members, node.id)) {
    throw failedPrecondition(
      `node ${node.id} is a cluster manager and is a member of the raft cluster. ` +
        'It must be demoted to worker before removal',
    );
  }
  if (!force && node.status.state === NodeStatus_State.READY) {
    throw failedPrecondition(`node ${node.id} is not down and can't be removed`);
  }
}
