import type { Cancel, Clock } from '@skep/platform';

/**
 * By which a call ends when the leader moved: at once while nothing was sent, else after a while.
 */
export interface MoveSignals {
  readonly unsentSignal: AbortSignal;
  readonly signal: AbortSignal;
}

export interface MoveWatchOptions<T> {
  clock: Clock;
  /** The way to the leader; undefined while none is known. */
  find(): T | undefined;
  onChange(listener: () => void): () => void;
  /** Who is called. */
  to: T;
  /** How long a call that was sent goes on once another leads, ms. */
  graceMs: number;
  /** The same once nobody does. */
  lostMs: number;
}

/**
 * Aborts a call when the leader is another than the one that is called. Nothing is watched before
 * signals are asked for: a call to this very manager never asks, and watching costs more than it does.
 */
export class MoveWatch<T> {
  readonly #options: MoveWatchOptions<T>;
  #aborts: { unsent: AbortController; sent: AbortController } | undefined;
  #seen: T | undefined;
  #forget = () => {};
  #cancel: Cancel = () => {};

  constructor(options: MoveWatchOptions<T>) {
    this.#options = options;
    this.#seen = options.to;
  }

  /** For the call; from now on the leader is watched. */
  signals(): MoveSignals {
    const { unsent, sent } = this.#watch();
    return { unsentSignal: unsent.signal, signal: sent.signal };
  }

  /** Whether a call that was sent has been ended. */
  get isAborted(): boolean {
    return this.#aborts?.sent.signal.aborted === true;
  }

  /** The call is over. */
  end(): void {
    this.#forget();
    this.#cancel();
  }

  #watch(): { unsent: AbortController; sent: AbortController } {
    if (this.#aborts) return this.#aborts;
    this.#aborts = { unsent: new AbortController(), sent: new AbortController() };
    this.#forget = this.#options.onChange(() => this.#look());
    this.#look();
    return this.#aborts;
  }

  #look(): void {
    const { clock, find, to, graceMs, lostMs } = this.#options;
    const now = find();
    if (now === this.#seen) return;
    this.#seen = now;
    this.#cancel();
    if (now === to) return;
    if (now !== undefined) this.#aborts?.unsent.abort();
    const leftMs = now === undefined ? lostMs : graceMs;
    this.#cancel = clock.after(leftMs, () => this.#aborts?.sent.abort());
  }
}
