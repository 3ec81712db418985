import { create, equals } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import type { Transaction } from '@skep/store';
import { type NodeObject, type TaskObject, timestampFromMs } from '@skep/wire';
import {
  type NodeDescription,
  NodeDescriptionSchema,
  NodeStatus_State,
  NodeStatusSchema,
  TaskState,
  TaskStatusSchema,
} from '@skep/wire/swarmkit';

/** A node has a session: it is ready, and this is what it says of itself. */
export function writeReady(
  tx: Transaction,
  nodeId: string,
  described: NodeDescription | undefined,
  addr: string,
): void {
  const node = tx.get('node', nodeId);
  if (!node) throw new RpcError(Code.UNKNOWN, 'object does not exist');
  const status = create(NodeStatusSchema, { state: NodeStatus_State.READY, message: '', addr });
  const sameStatus = equals(NodeStatusSchema, node.status, status);
  const sameDescription =
    !described ||
    (node.description !== undefined && equals(NodeDescriptionSchema, node.description, described));
  if (sameStatus && sameDescription) return;
  tx.update('node', {
    ...node,
    status: sameStatus ? node.status : status,
    ...(sameDescription ? {} : { description: described }),
  });
}

/** The node in another state; undefined when it is in that state already. */
export function inState(
  node: NodeObject,
  state: NodeStatus_State,
  message: string,
): NodeObject | undefined {
  if (node.status.state === state) return undefined;
  return { ...node, status: create(NodeStatusSchema, { ...node.status, state, message }) };
}

/** Whether a task is with its node, as far as is known. */
export function isWithNode({ status }: TaskObject): boolean {
  return status.state >= TaskState.ASSIGNED && status.state <= TaskState.RUNNING;
}

/** A task given up, because its node will not come back. */
export function orphaned(task: TaskObject, nowMs: number): TaskObject {
  const status = create(TaskStatusSchema, {
    ...task.status,
    state: TaskState.ORPHANED,
    timestamp: timestampFromMs(nowMs),
    message: 'node has been down for too long',
  });
  return { ...task, status };
}
