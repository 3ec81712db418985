import type { StoreObjects, TableName, TaskObject } from '@skep/wire';
import { TABLE_NAMES } from './schema.js';
import { Table, TaskTable } from './table.js';

type Tables = { [T in Exclude<TableName, 'task'>]: Table<T> } & { task: TaskTable };

/** Reads of one consistent state. Objects returned are shared: never change them, make new ones. */
export interface ReadView {
  get<T extends TableName>(table: T, id: string): StoreObjects[T] | undefined;
  /** By unique name, letter case aside; always undefined for nodes and tasks. */
  named<T extends TableName>(table: T, name: string): StoreObjects[T] | undefined;
  all<T extends TableName>(table: T): Iterable<StoreObjects[T]>;
  count(table: TableName): number;
  tasksOfService(serviceId: string): Iterable<TaskObject>;
  tasksOfNode(nodeId: string): Iterable<TaskObject>;
  /** See {@link Slots}: each list stays the same one until a task of its slot changes. */
  slotsOfService(serviceId: string): ReadonlyMap<bigint, readonly TaskObject[]>;
}

/** All tables at one point of the log. */
export class State implements ReadView {
  readonly #tables: Tables = {
    cluster: new Table('cluster'),
    config: new Table('config'),
    extension: new Table('extension'),
    network: new Table('network'),
    node: new Table('node'),
    resource: new Table('resource'),
    secret: new Table('secret'),
    service: new Table('service'),
    task: new TaskTable(),
    volume: new Table('volume'),
  };

  #table<T extends TableName>(name: T): Table<T> {
    return this.#tables[name] as unknown as Table<T>;
  }

  get<T extends TableName>(table: T, id: string): StoreObjects[T] | undefined {
    return this.#table(table).get(id);
  }

  named<T extends TableName>(table: T, name: string): StoreObjects[T] | undefined {
    return this.#table(table).named(name);
  }

  all<T extends TableName>(table: T): Iterable<StoreObjects[T]> {
    return this.#table(table).all();
  }

  count(table: TableName): number {
    return this.#table(table).size;
  }

  tasksOfService(serviceId: string): Iterable<TaskObject> {
    return this.#tables.task.ofService(serviceId);
  }

  tasksOfNode(nodeId: string): Iterable<TaskObject> {
    return this.#tables.task.ofNode(nodeId);
  }

  slotsOfService(serviceId: string): ReadonlyMap<bigint, readonly TaskObject[]> {
    return this.#tables.task.slotsOf(serviceId);
  }

  /** Puts or (undefined) removes an object; returns the one that stood there. */
  set<T extends TableName>(
    table: T,
    id: string,
    object: StoreObjects[T] | undefined,
  ): StoreObjects[T] | undefined {
    return this.#table(table).set(id, object);
  }

  /** A second state with the same objects. */
  copy(): State {
    const copy = new State();
    for (const table of TABLE_NAMES) {
      for (const object of this.all(table)) copy.set(table, object.id, object);
    }
    return copy;
  }
}
