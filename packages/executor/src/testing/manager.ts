import { create } from '@bufbuild/protobuf';
import type { ManagerLink } from '@skep/agent';
import { BoundedQueue } from '@skep/platform';
import { durationFromMs, type TaskObject } from '@skep/wire';
import { RenameContainerResponseSchema } from '@skep/wire/skep';
import {
  AssignmentsMessage_Type,
  AssignmentsMessageSchema,
  AttachNetworkResponseSchema,
  DetachNetworkResponseSchema,
  HeartbeatResponseSchema,
  SessionMessageSchema,
  type TaskState,
  type UpdateTaskStatusRequest,
  UpdateTaskStatusResponseSchema,
} from '@skep/wire/swarmkit';
import { makeNode } from './objects.js';

const QUEUE_ITEMS_MAX = 1_000;

/** A manager that assigns one set of tasks and remembers the states it hears. */
export class FakeManager implements ManagerLink {
  readonly states = new Map<string, TaskState[]>();
  tasks: TaskObject[] = [];

  session() {
    return this.#only(create(SessionMessageSchema, { sessionId: 'x', node: makeNode() }));
  }
  async heartbeat() {
    return create(HeartbeatResponseSchema, { period: durationFromMs(5_000) });
  }
  async updateTaskStatus({ updates }: UpdateTaskStatusRequest) {
    for (const { status, taskId } of updates) {
      this.states.set(taskId, [...(this.states.get(taskId) ?? []), status!.state]);
    }
    return create(UpdateTaskStatusResponseSchema);
  }
  assignments() {
    const changes = this.tasks.map((value) => ({
      assignment: { item: { case: 'task' as const, value } },
    }));
    const type = AssignmentsMessage_Type.COMPLETE;
    return this.#only(create(AssignmentsMessageSchema, { type, resultsIn: '1', changes }));
  }
  listenSubscriptions() {
    return new BoundedQueue<never>(QUEUE_ITEMS_MAX);
  }
  async publishLogs(): Promise<void> {}
  async attachNetwork() {
    return create(AttachNetworkResponseSchema);
  }
  async detachNetwork() {
    return create(DetachNetworkResponseSchema);
  }
  async renameContainer() {
    return create(RenameContainerResponseSchema);
  }

  /** A stream of one message that stays open. */
  #only<T>(message: T): BoundedQueue<T> {
    const queue = new BoundedQueue<T>(QUEUE_ITEMS_MAX);
    queue.push(message);
    return queue;
  }
}
