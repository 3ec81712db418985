import type { Cancel } from '@skep/platform';

interface Timer {
  dueMs: number;
  fn: (() => void) | undefined;
}

/**
 * Later than this a timer is only where the whole process stood still. Time then counts as having stood
 * still, too: whoever was waited for had no chance to be heard.
 */
const STALL_MS = 1_500;

/** Time as a core has it: it moves when the core is told to, and runs what falls due. */
export class Timers {
  /** In order of time, then of creation. */
  readonly #timers: Timer[] = [];
  #nowMs = 0;
  /** How much later the outside's time is. */
  #aheadMs: number;

  constructor(nowMs: number) {
    this.#aheadMs = nowMs;
  }

  /** Since the core began, without the times in which it stood still. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** When, in the outside's time, {@link Timers.advance} is to be called next. */
  get dueMs(): number | undefined {
    const first = this.#timers[0];
    return first && first.dueMs + this.#aheadMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, delayMs), fn };
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle]?.dueMs ?? 0) <= timer.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return () => {
      timer.fn = undefined;
    };
  }

  /** Calls `fn` time and again, first after a part of the interval that chance decides. */
  every(intervalMs: () => number, chance: number, fn: () => void): void {
    const again = () => {
      this.after(intervalMs(), again);
      fn();
    };
    this.after(intervalMs() * chance, again);
  }

  /** Moves time on to `nowMs` of the outside, running what is due. Returns how long it stood still, ms. */
  advance(nowMs: number): number {
    const lateMs = nowMs - (this.dueMs ?? nowMs);
    const stalledMs = lateMs > STALL_MS ? lateMs : 0;
    this.#aheadMs += stalledMs;
    const untilMs = Math.max(this.#nowMs, nowMs - this.#aheadMs);
    for (;;) {
      const next = this.#timers[0];
      if (!next || next.dueMs > untilMs) break;
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fn?.();
    }
    this.#nowMs = untilMs;
    return stalledMs;
  }
}
