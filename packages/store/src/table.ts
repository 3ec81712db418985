import { invariant } from '@skep/platform';
import type { StoreObjects, TableName, TaskObject } from '@skep/wire';
import { TABLES } from './schema.js';
import { Slots } from './slots.js';

/**
 * One secondary index: key → objects under it, by id, in the order in which they came under it. One
 * that changes keeps its place.
 */
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
    if (object) this.#byId.set(id, object);
    else this.#byId.delete(id);
    if (before && object) this.reindex(before, object);
    else if (before) this.unindex(before);
    else if (object) this.index(object);
    return before;
  }

  protected reindex(before: StoreObjects[T], object: StoreObjects[T]): void {
    this.unindex(before);
    this.index(object);
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
  readonly #slots = new Slots();

  constructor() {
    super('task');
  }

  ofService(serviceId: string): Iterable<TaskObject> {
    return this.#byService.get(serviceId);
  }

  ofNode(nodeId: string): Iterable<TaskObject> {
    return this.#byNode.get(nodeId);
  }

  slotsOf(serviceId: string): ReadonlyMap<bigint, readonly TaskObject[]> {
    return this.#slots.of(serviceId);
  }

  /** Most changes of a task leave it where it is: its place in the indexes is kept. */
  protected override reindex(before: TaskObject, task: TaskObject): void {
    if (before.serviceId !== task.serviceId || before.slot !== task.slot) this.#unseat(before);
    this.#seat(task);
    if (before.nodeId !== task.nodeId) this.#byNode.remove(before.nodeId, before.id);
    if (task.nodeId) this.#byNode.add(task.nodeId, task);
  }

  protected override index(task: TaskObject): void {
    this.#seat(task);
    if (task.nodeId) this.#byNode.add(task.nodeId, task);
  }

  protected override unindex(task: TaskObject): void {
    this.#unseat(task);
    this.#byNode.remove(task.nodeId, task.id);
  }

  #seat(task: TaskObject): void {
    if (!task.serviceId) return;
    this.#byService.add(task.serviceId, task);
    this.#slots.put(task);
  }

  #unseat(task: TaskObject): void {
    this.#byService.remove(task.serviceId, task.id);
    this.#slots.remove(task);
  }
}
