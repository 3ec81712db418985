import { create } from '@bufbuild/protobuf';
import { type CompleteMeta, type StoreObjects, type TableName, timestampFromMs } from '@skep/wire';
import { MetaSchema, VersionSchema } from '@skep/wire/swarmkit';
import { undoChanges } from './apply.js';
import type { Change } from './change.js';
import { ExistsError, MissingError, NameConflictError, SequenceError } from './errors.js';
import { TABLES } from './schema.js';
import type { ReadView, State } from './state.js';

/**
 * A transaction: reads see its own writes and every write proposed before it. Runs synchronously,
 * so nothing comes in between. Meta (version, created_at, updated_at) is stamped here, by the
 * proposer, and travels in the entry (wire-raft.md 4.3).
 */
export interface Transaction extends ReadView {
  /** Adds an object. Throws {@link ExistsError} (id) or {@link NameConflictError} (name). */
  create<T extends TableName>(table: T, object: StoreObjects[T]): StoreObjects[T];
  /**
   * Replaces the object with this id. Throws {@link SequenceError} when `object.meta.version` is
   * not the stored one's, {@link MissingError}, {@link NameConflictError}.
   */
  update<T extends TableName>(table: T, object: StoreObjects[T]): StoreObjects[T];
  /** Removes an object; throws {@link MissingError}. */
  remove(table: TableName, id: string): void;
}

export interface Stamp {
  version: bigint;
  nowMs: number;
}

/** The transaction over the head state: writes go straight in and are undone when it fails. */
export class HeadTransaction implements Transaction {
  readonly changes: Change[] = [];
  readonly #head: State;
  readonly #stamp: Stamp;

  constructor(head: State, stamp: Stamp) {
    this.#head = head;
    this.#stamp = stamp;
  }

  get<T extends TableName>(table: T, id: string) {
    return this.#head.get(table, id);
  }

  named<T extends TableName>(table: T, name: string) {
    return this.#head.named(table, name);
  }

  all<T extends TableName>(table: T) {
    return this.#head.all(table);
  }

  count(table: TableName): number {
    return this.#head.count(table);
  }

  tasksOfService(serviceId: string) {
    return this.#head.tasksOfService(serviceId);
  }

  tasksOfNode(nodeId: string) {
    return this.#head.tasksOfNode(nodeId);
  }

  slotsOfService(serviceId: string) {
    return this.#head.slotsOfService(serviceId);
  }

  create<T extends TableName>(table: T, object: StoreObjects[T]): StoreObjects[T] {
    if (this.#head.get(table, object.id)) throw new ExistsError();
    this.#checkName(table, object);
    const stamped = { ...object, meta: this.#meta(object.meta.createdAt) };
    this.#head.set(table, stamped.id, stamped);
    this.changes.push({ kind: 'create', table, object: stamped } as Change);
    return stamped;
  }

  update<T extends TableName>(table: T, object: StoreObjects[T]): StoreObjects[T] {
    const before = this.#head.get(table, object.id);
    if (!before) throw new MissingError();
    if (before.meta.version.index !== object.meta.version.index) throw new SequenceError();
    this.#checkName(table, object);
    const stamped = { ...object, meta: this.#meta(before.meta.createdAt) };
    this.#head.set(table, stamped.id, stamped);
    this.changes.push({ kind: 'update', table, object: stamped, before } as Change);
    return stamped;
  }

  remove(table: TableName, id: string): void {
    const before = this.#head.set(table, id, undefined);
    if (!before) throw new MissingError();
    this.changes.push({ kind: 'remove', table, object: before } as Change);
  }

  /** Takes back every write, last first. */
  undo(): void {
    undoChanges(this.#head, this.changes);
    this.changes.length = 0;
  }

  #checkName<T extends TableName>(table: T, object: StoreObjects[T]): void {
    const name = TABLES[table].uniqueName(object);
    if (!name) return;
    const holder = this.#head.named(table, name);
    if (holder && holder.id !== object.id) throw new NameConflictError();
  }

  #meta(createdAt: CompleteMeta['createdAt']): CompleteMeta {
    const now = timestampFromMs(this.#stamp.nowMs);
    const version = create(VersionSchema, { index: this.#stamp.version });
    return create(MetaSchema, {
      version,
      createdAt: createdAt ?? now,
      updatedAt: now,
    }) as CompleteMeta;
  }
}
