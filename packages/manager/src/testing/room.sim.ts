import { type InvariantError, SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import type { StoreObjects, TableName } from '@skep/wire';

/** A store of its own for one loop under test, on simulated time. */
export class SimRoom {
  readonly clock = new SimClock();
  readonly random = new SimRandom(1);
  readonly log = silentLogger;
  readonly store = new Store({ clock: this.clock, random: this.random, log: this.log });
  readonly proposer: SimProposer;
  readonly broken: InvariantError[] = [];

  constructor(options: { automatic?: boolean } = {}) {
    this.proposer = new SimProposer(this.store, options);
    this.store.attach(this.proposer);
  }

  /** What a loop is made of. */
  get options() {
    const { store, clock, random, log } = this;
    return { store, clock, random, log, onFatal: (error: InvariantError) => this.fail(error) };
  }

  fail(error: InvariantError): void {
    this.broken.push(error);
  }

  /** Stores objects of one table and lets everything that follows from it happen. */
  async put<T extends TableName>(table: T, ...objects: StoreObjects[T][]): Promise<void> {
    await this.store.update((tx) => {
      for (const object of objects) {
        const before = tx.get(table, object.id);
        if (before) tx.update(table, { ...object, meta: before.meta });
        else tx.create(table, object);
      }
    });
    await this.settle();
  }

  async remove(table: TableName, id: string): Promise<void> {
    await this.store.update((tx) => tx.remove(table, id));
    await this.settle();
  }

  /** Changes one stored object. */
  async change<T extends TableName>(
    table: T,
    id: string,
    fn: (object: StoreObjects[T]) => Partial<StoreObjects[T]>,
  ): Promise<void> {
    await this.put(table, { ...this.get(table, id), ...fn(this.get(table, id)) });
  }

  get<T extends TableName>(table: T, id: string): StoreObjects[T] {
    const object = this.store.view.get(table, id);
    if (!object) throw new Error(`no ${table} ${id}`);
    return object;
  }

  /** Lets everything that is ready happen, without time passing. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
    const [broken] = this.broken;
    if (broken) throw broken;
  }
}
