import type { ProgressMessage } from '@skep/containers';
import type { Clock } from '@skep/platform';

export interface SharedPullOptions {
  clock: Clock;
  /** Time for the registry's first answer, for those who have the image already. */
  patienceMs: number;
  pull(signal: AbortSignal): AsyncIterable<ProgressMessage>;
  /** Called once, with what went wrong, if anything did. */
  onEnd(error: unknown): void;
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
      await untilAborted(this.#done, signal);
    } finally {
      cancelPatience();
      this.#waiting--;
      if (this.#waiting === 0) this.#abort.abort(signal.reason ?? new Error('nobody waits'));
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
      await untilAborted(this.#read(), this.#abort.signal);
    } catch (error) {
      failure = error ?? new Error('unknown');
    }
    this.#options.onEnd(failure);
  }

  async #read(): Promise<void> {
    for await (const message of this.#options.pull(this.#abort.signal)) {
      this.#answered = true;
      if (message.error) throw new Error(message.error);
    }
  }
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
