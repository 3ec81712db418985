import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { completeObject, type StoreObjects, type TableName } from '@skep/wire';
import {
  InternalRaftRequestSchema,
  type StoreAction,
  StoreActionKind,
  StoreActionSchema,
  StoreSnapshotSchema,
} from '@skep/wire/swarmkit';
import type { Change } from './change.js';
import { SNAPSHOT_PART_OBJECTS } from './limits.js';
import { actionTable, SNAPSHOT_FIELDS, TABLE_NAMES } from './schema.js';
import type { ReadView } from './state.js';

const KINDS = {
  create: StoreActionKind.STORE_ACTION_CREATE,
  update: StoreActionKind.STORE_ACTION_UPDATE,
  remove: StoreActionKind.STORE_ACTION_REMOVE,
} as const;

/** The bytes of a log entry: an `InternalRaftRequest` of full objects (wire-raft.md 4.1, 4.2). */
export function encodeEntry(requestId: bigint, changes: readonly Change[]): Uint8Array {
  // Without `create`, which would look through each object again.
  const action = changes.map(
    (change): StoreAction => ({
      $typeName: StoreActionSchema.typeName,
      action: KINDS[change.kind],
      target: { case: change.table, value: change.object } as StoreAction['target'],
    }),
  );
  return toBinary(
    InternalRaftRequestSchema,
    create(InternalRaftRequestSchema, { id: requestId, action }),
  );
}

/** The request id of an entry that was encoded here, without reading the rest. */
export function requestIdOf(data: Uint8Array): bigint {
  const reader = new BinaryReader(data);
  const [field] = reader.tag();
  return field === InternalRaftRequestSchema.field.id.number ? BigInt(reader.uint64()) : 0n;
}

/** An action of a decoded entry: what to put (or, undefined, remove) where. */
export interface DecodedAction {
  kind: 'create' | 'update' | 'remove';
  table: TableName;
  id: string;
  object: StoreObjects[TableName];
}

/** Reads an entry. Throws on bytes that are no request, and on actions or tables we do not know. */
export function decodeEntry(data: Uint8Array): DecodedAction[] {
  return fromBinary(InternalRaftRequestSchema, data).action.map(decodeAction);
}

function decodeAction(action: StoreAction): DecodedAction {
  const table = actionTable(action);
  const kind = (['create', 'update', 'remove'] as const).find(
    (name) => KINDS[name] === action.action,
  );
  if (!table || !kind || !action.target.value) throw new Error('unrecognized action type');
  const object = completeObject(table, action.target.value);
  return { kind, table, id: object.id, object };
}

/**
 * The tables, as they are when this is called, as the bytes of a `StoreSnapshot`, each in ascending
 * order of id. Objects are never changed, so it is enough to hold on to them; encoding many takes
 * long, and is done part by part as these are asked for.
 */
export function encodeSnapshot(state: ReadView): Iterable<Uint8Array> {
  return encodeTables(TABLE_NAMES.map((table) => [table, [...state.all(table)]]));
}

function* encodeTables(
  tables: readonly (readonly [TableName, StoreObjects[TableName][]])[],
): Generator<Uint8Array> {
  for (const [table, objects] of tables) {
    objects.sort((a, b) => (a.id < b.id ? -1 : 1));
    const field = SNAPSHOT_FIELDS[table];
    for (let at = 0; at < objects.length; at += SNAPSHOT_PART_OBJECTS) {
      const some = objects.slice(at, at + SNAPSHOT_PART_OBJECTS);
      // Messages of repeated fields, one after the other, are the message of them all.
      yield toBinary(StoreSnapshotSchema, create(StoreSnapshotSchema, { [field]: some }));
    }
  }
}

export function decodeSnapshot(
  data: Uint8Array,
): { table: TableName; object: StoreObjects[TableName] }[] {
  const snapshot = fromBinary(StoreSnapshotSchema, data);
  return TABLE_NAMES.flatMap((table) =>
    (snapshot[SNAPSHOT_FIELDS[table]] as object[]).map((object) => ({
      table,
      object: completeObject(table, object),
    })),
  );
}
