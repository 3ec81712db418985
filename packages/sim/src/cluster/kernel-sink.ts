import type { SimTables } from '@skep/manager';
import type { NetworkTablesSink } from '@skep/member';
import type { NetworksUpdate } from '@skep/wire/skep';
import type { Draw, MachineClock } from '../engine/index.js';

/** How long a kernel takes to be as an update says, ms. */
const APPLY_MS = [0, 20] as const;

/** Brings what one life of a node is told of its networks into its kernel, in order. */
export class KernelSink implements NetworkTablesSink {
  readonly #options: { clock: MachineClock; draw: Draw; tables: SimTables };
  #last: Promise<void> = Promise.resolve();

  constructor(options: { clock: MachineClock; draw: Draw; tables: SimTables }) {
    this.#options = options;
  }

  update(update: NetworksUpdate): Promise<void> {
    this.#last = this.#last.then(() => this.#apply(update));
    return this.#last;
  }

  lost(): void {}

  unsupported(): void {}

  async #apply(update: NetworksUpdate): Promise<void> {
    const { clock, draw, tables } = this.#options;
    await clock.sleep(draw.between(...APPLY_MS));
    tables.apply(update);
  }
}
