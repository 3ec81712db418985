import { type Cancel, type Clock, sleepOn } from './clock.js';

interface Timer {
  dueMs: number;
  order: number;
  fn: () => void;
}

/** 2026-01-01T00:00:00Z: a fixed start, so that simulated timestamps look like timestamps. */
const START_MS = 1_767_225_600_000;

/**
 * Simulated time: stands still until {@link SimClock.advance} moves it. Timers that fall due run in order
 * of time, then of creation, and everything they set off settles before the next one runs.
 */
export class SimClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs = START_MS;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  soon(fn: () => void): void {
    void Promise.resolve().then(fn);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** Number of timers not yet due: what a test compares before and after to find a leak. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves the wall clock alone by `byMs`, as another manager's that takes over may be off. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Moves time forward by `ms`, running what falls due, and lets all promises settle. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#earliest();
      if (!next || next.dueMs > endMs) break;
      this.#timers.delete(next);
      this.#nowMs = next.dueMs;
      next.fn();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      const sooner =
        !earliest ||
        timer.dueMs < earliest.dueMs ||
        (timer.dueMs === earliest.dueMs && timer.order < earliest.order);
      if (sooner) earliest = timer;
    }
    return earliest;
  }
}

/** Rounds of the event loop that {@link settle} gives; a chain of awaits needs one, nested `setImmediate`s more. */
const SETTLE_ROUNDS = 3;

/** Lets every promise callback that is ready, and those it makes ready, run. */
export async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
