import { create } from '@bufbuild/protobuf';
import { completeObject, type TaskObject } from '@skep/wire';
import {
  AssignmentChange_AssignmentAction,
  AssignmentChangeSchema,
  type AssignmentsMessage,
  AssignmentsMessage_Type,
  AssignmentsMessageSchema,
  NodeSchema,
  type SessionMessage,
  SessionMessageSchema,
  type Task,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';

export const NODE_ID = 'node1';

export interface TaskFields {
  desired?: TaskState;
  state?: TaskState;
  serviceId?: string;
}

/** A task as a manager assigns it. */
export function makeTask(id: string, fields: TaskFields = {}): TaskObject {
  const task = create(TaskSchema, {
    id,
    nodeId: NODE_ID,
    serviceId: fields.serviceId ?? 'service1',
    desiredState: fields.desired ?? TaskState.RUNNING,
    status: {
      state: fields.state ?? TaskState.ASSIGNED,
      message: 'scheduler assigned task to node',
    },
    spec: { runtime: { case: 'container', value: { image: 'busybox' } } },
  });
  return completeObject('task', task);
}

type Item = { task: Task } | { secret: string } | { config: string };

function assignmentItem(item: Item) {
  if ('task' in item) return { case: 'task' as const, value: item.task };
  if ('secret' in item) return { case: 'secret' as const, value: { id: item.secret } };
  return { case: 'config' as const, value: { id: item.config } };
}

export interface AssignmentFields {
  complete?: boolean;
  put?: Item[];
  remove?: Item[];
  appliesTo?: string;
  resultsIn?: string;
}

export function makeAssignments(fields: AssignmentFields): AssignmentsMessage {
  const change = (action: AssignmentChange_AssignmentAction) => (item: Item) =>
    create(AssignmentChangeSchema, { action, assignment: { item: assignmentItem(item) } as never });
  return create(AssignmentsMessageSchema, {
    type: fields.complete ? AssignmentsMessage_Type.COMPLETE : AssignmentsMessage_Type.INCREMENTAL,
    appliesTo: fields.appliesTo ?? '',
    resultsIn: fields.resultsIn ?? '',
    changes: [
      ...(fields.put ?? []).map(change(AssignmentChange_AssignmentAction.UPDATE)),
      ...(fields.remove ?? []).map(change(AssignmentChange_AssignmentAction.REMOVE)),
    ],
  });
}

export function makeSessionMessage(sessionId: string): SessionMessage {
  return create(SessionMessageSchema, {
    sessionId,
    node: completeObject('node', create(NodeSchema, { id: NODE_ID })),
  });
}
