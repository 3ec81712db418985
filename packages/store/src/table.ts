import { invariant } from '@skep/platform';
import type { StoreObjects, TableName, TaskObject } from '@skep/wire';
import { TABLES } from './schema.js';

/** One secondary index: key → objects under it, by id. */
class Index<O extends { id: string }> {
  readonly #byKey = new Map<string, Map<string, O>>();

  add(key: string, object: O): void {
    let group = this.#byKey.get(key);
    if (!group) this.#byKey.set(key, (group = new Map()));
    group.set(object.id, object);
  }

  remove(key: string, id: string): void {
    const group = this.#byKey.get(key);
    group?.delete(id);
    if (group?.size === 0) this.#byKey.delete(key);
  }

  get(key: string): Iterable<O> {
    return this.#byKey.get(key)?.values() ?? [];
  }
}

/**
 * Objects of one table, by id and by unique name. Holds references; objects are never changed in
 * place.
 */
export class Table<T extends TableName> {
  readonly #name: T;
  readonly #byId = new Map<string, StoreObjects[T]>();
  readonly #idByName = new Map<string, string>();

  constructor(name: T) {
    this.#name = name;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): StoreObjects[T] | undefined {
    return this.#byId.get(id);
  }

  /** The object with this unique name, letter case aside. */
  named(name: string): StoreObjects[T] | undefined {
    const id = this.#idByName.get(name.toLowerCase());
    return id === undefined ? undefined : this.#byId.get(id);
  }

  all(): Iterable<StoreObjects[T]> {
    return this.#byId.values();
  }

  /**
   * Puts an object in place of the one with its id; undefined removes. Returns what stood there.
   */
  set(id: string, object: StoreObjects[T] | undefined): StoreObjects[T] | undefined {
    invariant(object === undefined || object.id === id, 'object stored under a foreign id', { id });
    const before = this.#byId.get(id);
    if (before) this.unindex(before);
    if (object) {
      this.#byId.set(id, object);
      this.index(object);
    } else {
      this.#byId.delete(id);
    }
    return before;
  }

  protected index(object: StoreObjects[T]): void {
    const name = TABLES[this.#name].uniqueName(object);
    if (name) this.#idByName.set(name.toLowerCase(), object.id);
  }

  protected unindex(object: StoreObjects[T]): void {
    const name = TABLES[this.#name].uniqueName(object)?.toLowerCase();
    if (name && this.#idByName.get(name) === object.id) this.#idByName.delete(name);
  }
}

/** Tasks, also by service, by node and by slot. */
export class TaskTable extends Table<'task'> {
  readonly #byService = new Index<TaskObject>();
  readonly #byNode = new Index<TaskObject>();
  readonly #bySlot = new Index<TaskObject>();

  constructor() {
    super('task');
  }

  ofService(serviceId: string): Iterable<TaskObject> {
    return this.#byService.get(serviceId);
  }

  ofNode(nodeId: string): Iterable<TaskObject> {
    return this.#byNode.get(nodeId);
  }

  ofSlot(serviceId: string, slot: bigint): Iterable<TaskObject> {
    return this.#bySlot.get(`${serviceId}/${slot}`);
  }

  protected override index(task: TaskObject): void {
    super.index(task);
    if (task.serviceId) {
      this.#byService.add(task.serviceId, task);
      this.#bySlot.add(`${task.serviceId}/${task.slot}`, task);
    }
    if (task.nodeId) this.#byNode.add(task.nodeId, task);
  }

  protected override unindex(task: TaskObject): void {
    super.unindex(task);
    this.#byService.remove(task.serviceId, task.id);
    this.#bySlot.remove(`${task.serviceId}/${task.slot}`, task.id);
    this.#byNode.remove(task.nodeId, task.id);
  }
}
