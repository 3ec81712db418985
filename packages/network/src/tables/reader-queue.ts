import type { TableChange, TablesReader, TablesView } from './contract.js';

/** One reader's changes: one batch under way, and all that came since in the next. */
export class ReaderQueue {
  readonly #reader: TablesReader;
  readonly #view: TablesView;
  #waiting: TableChange[] = [];
  #busy: Promise<void> | undefined;

  constructor(reader: TablesReader, view: TablesView) {
    this.#reader = reader;
    this.#view = view;
  }

  add(changes: readonly TableChange[]): void {
    for (const change of changes) this.#waiting.push(change);
    if (this.#waiting.length > 0) this.#busy ??= this.#work();
  }

  /** Resolves when the reader has taken all that was added up to now. */
  async whenIdle(): Promise<void> {
    await this.#busy;
  }

  async #work(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const changes = this.#waiting;
        this.#waiting = [];
        await this.#reader.apply(changes, this.#view);
      }
    } finally {
      this.#busy = undefined;
    }
  }
}
