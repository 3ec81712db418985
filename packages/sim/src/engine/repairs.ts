import type { Timeline } from './timeline.js';

/** What is to be mended of the faults of a run: each in its time, or all at its end. */
export class Repairs {
  readonly #timeline: Timeline;
  readonly #due = new Set<() => void>();

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Calls `mend` once: after that time, or with {@link Repairs.all} before. */
  after(afterMs: number, mend: () => void): void {
    const once = () => {
      if (this.#due.delete(once)) mend();
    };
    this.#due.add(once);
    this.#timeline.after(afterMs, once);
  }

  /** Mends everything now. */
  all(): void {
    for (const mend of [...this.#due]) mend();
  }
}
