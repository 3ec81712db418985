import type { TableChange, TablesReader, TablesView } from './contract.js';

/** One reader's changes: one batch under way, and all that came since in the next. */
export class ReaderQueue {
  readonly #reader: TablesReader;
  readonly #view: TablesView;
  #waiting: TableChange[] = [];
  #called = false;
  #busy: Promise<void> | undefined;

  constructor(reader: TablesReader, view: TablesView) {
    this.#reader = reader;
    this.#view = view;
  }

  /** With `complete`, the reader is called also when there is no change. */
  add(changes: readonly TableChange[], complete = false): void {
    for (const change of changes) this.#waiting.push(change);
    this.#called ||= complete;
    if (this.#hasWork()) this.#busy ??= this.#work();
  }

  /** Resolves when the reader has taken all that was added up to now. */
  async whenIdle(): Promise<void> {
    await this.#busy;
  }

  #hasWork(): boolean {
    return this.#called || this.#waiting.length > 0;
  }

  async #work(): Promise<void> {
    try {
      while (this.#hasWork()) {
        const changes = this.#waiting;
        this.#waiting = [];
        this.#called = false;
        await this.#reader.apply(changes, this.#view);
      }
    } finally {
      this.#busy = undefined;
    }
  }
}
