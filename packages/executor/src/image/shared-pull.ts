import type { Clock } from '@skep/platform';
import { unlessAborted } from '../waiting.js';

export interface SharedPullOptions {
  clock: Clock;
  /** Time for the registry's first answer, for those who have the image already. */
  patienceMs: number;
  /** Calls `onAnswer` at the first sign of life. */
  pull(signal: AbortSignal, onAnswer: () => void): Promise<void>;
  /** Called once. `abandoned`: broken off because nobody waits, which says nothing of the registry. */
  onEnd(outcome: { error: unknown; abandoned: boolean }): void;
}

class NoAnswerError extends Error {
  constructor(patienceMs: number) {
    super(`the registry does not answer within ${patienceMs} ms, and the image is here`);
  }
}

/** One pull that several tasks wait for. It is broken off when the last of them leaves. */
export class SharedPull {
  readonly #options: SharedPullOptions;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;
  #answered = false;
  #ended = false;
  #waiting = 0;

  constructor(options: SharedPullOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Resolves at the pull's end, good or bad; rejects with the signal's reason when that aborts. */
  async join(options: { isHere: boolean; signal: AbortSignal }): Promise<void> {
    const { isHere, signal } = options;
    const cancelPatience = isHere ? this.#losePatience() : () => {};
    this.#waiting++;
    try {
      await unlessAborted(signal, this.#done);
    } finally {
      cancelPatience();
      this.#waiting--;
      if (this.#waiting === 0) this.#end({ error: undefined, abandoned: true });
    }
  }

  /** Ends the pull when the registry has not said anything in time. */
  #losePatience(): () => void {
    const { clock, patienceMs } = this.#options;
    return clock.after(patienceMs, () => {
      if (!this.#answered) this.#abort.abort(new NoAnswerError(patienceMs));
    });
  }

  async #run(): Promise<void> {
    let failure: unknown;
    try {
      await unlessAborted(this.#abort.signal, this.#read());
    } catch (error) {
      failure = error ?? new Error('unknown');
    }
    this.#end({ error: failure, abandoned: false });
  }

  #end(outcome: { error: unknown; abandoned: boolean }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abort.abort(new Error('nobody waits for the image'));
    this.#options.onEnd(outcome);
  }

  async #read(): Promise<void> {
    await this.#options.pull(this.#abort.signal, () => {
      this.#answered = true;
    });
  }
}
