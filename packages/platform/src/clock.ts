/** Cancels what it was returned for; calling it again does nothing. */
export type Cancel = () => void;

/** The only source of time. Durations and instants are in milliseconds. */
export interface Clock {
  /** Wall-clock time, ms since the epoch. May jump; use it for what people and other nodes read. */
  now(): number;
  /** Ms since an arbitrary start; never goes back. Use it to measure and to compare. */
  monotonic(): number;
  /** Calls `fn` once after `delayMs` (>= 0). */
  after(delayMs: number, fn: () => void): Cancel;
  /** Calls `fn` once all that came in together is dealt with: at the end of this turn of the event loop. */
  soon(fn: () => void): void;
  /** Resolves after `delayMs`; rejects with the signal's reason when that aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Longest delay `setTimeout` takes; longer ones are waited in steps. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** The machine's clock. */
export class RealClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(delayMs: number, fn: () => void): Cancel {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number) => {
      const stepMs = Math.min(leftMs, TIMEOUT_MS_MAX);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : fn()), stepMs);
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  }

  soon(fn: () => void): void {
    setImmediate(fn);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }
}

/** `sleep` in terms of `after`, shared by the twins. */
export function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
