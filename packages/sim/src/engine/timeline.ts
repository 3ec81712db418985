import { type Cancel, invariant } from '@skep/platform';

interface Scheduled {
  atMs: number;
  order: number;
  fn: (() => void) | undefined;
}

export interface TimelineOptions {
  /** Events after which a world is taken to run in circles; 2,000,000 unless given. */
  eventsMax?: number;
}

const EVENTS_MAX = 2_000_000;

/**
 * The one time of a simulated world: a queue of events, run in order of time, then of creation. After each
 * event everything it set off settles, and then the observers look at the world.
 */
export class Timeline {
  readonly #eventsMax: number;
  readonly #heap: Scheduled[] = [];
  #nowMs = 0;
  #order = 0;
  #eventCount = 0;
  #observer: () => void = () => {};

  constructor(options: TimelineOptions = {}) {
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX;
  }

  /** Ms since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** Calls `observer` after every event, when everything has settled. What it throws ends the run. */
  observe(observer: () => void): void {
    this.#observer = observer;
  }

  /** Calls `fn` once `delayMs` (>= 0) from now. */
  after(delayMs: number, fn: () => void): Cancel {
    invariant(delayMs >= 0, 'an event in the past', { delayMs });
    const event: Scheduled = { atMs: this.#nowMs + delayMs, order: this.#order++, fn };
    this.#push(event);
    return () => {
      event.fn = undefined;
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Runs until `untilMs`, or until `isDone` says so after an event. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    await settled();
    while (!isDone()) {
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) {
        this.#nowMs = untilMs;
        return;
      }
      this.#pop();
      if (!next.fn) continue;
      this.#nowMs = next.atMs;
      this.#eventCount++;
      invariant(this.#eventCount <= this.#eventsMax, 'the world runs in circles');
      next.fn();
      await settled();
      this.#observer();
    }
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Scheduled)) break;
      heap[at] = heap[parent] as Scheduled;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && isBefore(right, heap[child] as Scheduled)) child++;
      if (!isBefore(heap[child] as Scheduled, last)) break;
      heap[at] = heap[child] as Scheduled;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/** Lets every promise callback that is ready, and those it makes ready, run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
