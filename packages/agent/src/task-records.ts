import { crc32 } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { completeObject, type TaskObject } from '@skep/wire';
import {
  TaskSchema,
  type TaskStatus,
  UpdateTaskStatusRequest_TaskStatusUpdateSchema,
} from '@skep/wire/swarmkit';

/**
 * Records of the task log. On disk each is: length of the body (u32 LE), CRC-32 of the body (u32 LE), body.
 * The body is one byte for the kind and a protobuf message, or the plain id for a removal.
 */
export type TaskRecord =
  | { kind: 'assigned'; task: TaskObject }
  | { kind: 'status'; taskId: string; status: TaskStatus }
  | { kind: 'removed'; taskId: string };

const KIND_BYTES = { assigned: 1, status: 2, removed: 3 } as const;
const HEADER_BYTES = 8;
/** No task is near this; a longer record is damage. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

function encodeBody(record: TaskRecord): Uint8Array {
  switch (record.kind) {
    case 'assigned':
      return toBinary(TaskSchema, record.task);
    case 'status':
      return toBinary(
        UpdateTaskStatusRequest_TaskStatusUpdateSchema,
        create(UpdateTaskStatusRequest_TaskStatusUpdateSchema, record),
      );
    case 'removed':
      return Buffer.from(record.taskId, 'utf8');
  }
}

export function encodeRecord(record: TaskRecord): Uint8Array {
  const message = encodeBody(record);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + 1 + message.length);
  bytes[HEADER_BYTES] = KIND_BYTES[record.kind];
  bytes.set(message, HEADER_BYTES + 1);
  bytes.writeUInt32LE(message.length + 1, 0);
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES)), 4);
  return bytes;
}

function decodeBody(body: Uint8Array): TaskRecord | undefined {
  const message = body.subarray(1);
  switch (body[0]) {
    case KIND_BYTES.assigned:
      return { kind: 'assigned', task: completeObject('task', fromBinary(TaskSchema, message)) };
    case KIND_BYTES.status: {
      const update = fromBinary(UpdateTaskStatusRequest_TaskStatusUpdateSchema, message);
      const { taskId, status } = update;
      return status && { kind: 'status', taskId, status };
    }
    case KIND_BYTES.removed:
      return { kind: 'removed', taskId: Buffer.from(message).toString('utf8') };
    default:
      return undefined;
  }
}

/**
 * Reads records up to the first that is not whole: what follows a torn write is nothing. `validBytes`
 * tells how far the log is good.
 */
export function decodeRecords(bytes: Uint8Array): { records: TaskRecord[]; validBytes: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: TaskRecord[] = [];
  let offset = 0;
  while (offset + HEADER_BYTES < view.length) {
    const length = view.readUInt32LE(offset);
    const end = offset + HEADER_BYTES + length;
    if (length === 0 || length > BODY_BYTES_MAX || end > view.length) break;
    const body = view.subarray(offset + HEADER_BYTES, end);
    if (crc32(body) !== view.readUInt32LE(offset + 4)) break;
    const record = decodeBody(body);
    if (!record) break;
    records.push(record);
    offset = end;
  }
  return { records, validBytes: offset };
}

/** The tasks that are assigned after all records, with their last status. */
export function replayRecords(records: readonly TaskRecord[]): Map<string, TaskObject> {
  const tasks = new Map<string, TaskObject>();
  for (const record of records) {
    if (record.kind === 'assigned') {
      tasks.set(record.task.id, record.task);
      continue;
    }
    if (record.kind === 'removed') {
      tasks.delete(record.taskId);
      continue;
    }
    const task = tasks.get(record.taskId);
    if (task && record.status.state >= task.status.state) {
      tasks.set(task.id, { ...task, status: record.status });
    }
  }
  return tasks;
}
