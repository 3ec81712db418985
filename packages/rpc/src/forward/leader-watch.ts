import { type Clock, Code, RpcError } from '@skep/platform';
import type { CallContext } from '../contract.js';
import { canceled } from '../errors.js';
import { FORWARD_RETRY_MS, LEADER_WAIT_MS } from '../limits.js';
import { type Leader, type LeaderSource, NO_LEADER_TEXT } from './leader-source.js';

/** Waits for leaders to appear and notices when they go. */
export class LeaderWatch {
  readonly #source: LeaderSource;
  readonly #clock: Clock;
  /** Since when there is no leader, as far as anybody asked. */
  #lost: { sinceMs: number } | undefined;

  constructor(source: LeaderSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * The leader. An election is waited for; once there was none for {@link LEADER_WAIT_MS}, this
   * rejects at once, with UNKNOWN as SwarmKit does. Rejects with CANCELED when the call that asks
   * is over.
   */
  async leader(call: Pick<CallContext, 'signal'>): Promise<Leader> {
    const known = this.#source.leader();
    // Mostly. A signal that is asked for costs 13 µs when the call ends.
    if (known !== undefined) return known;
    const waitedMs = this.#clock.monotonic() - this.#lostSinceMs();
    const found = await this.#wait(LEADER_WAIT_MS - waitedMs, call.signal, () => true);
    if (found === undefined) throw new RpcError(Code.UNKNOWN, NO_LEADER_TEXT);
    return found;
  }

  /** Resolves after a short while, or sooner when another than `leader` leads. */
  async pause(leader: Leader, signal: AbortSignal): Promise<void> {
    await this.#wait(FORWARD_RETRY_MS, signal, (found) => found !== leader);
  }

  /** Calls `onMoved` once another than `leader` leads; returns how to stop that. */
  whenMoved(leader: Leader, onMoved: () => void): () => void {
    const look = () => {
      const now = this.#source.leader();
      if (now === undefined || now === leader) return;
      forget();
      onMoved();
    };
    const forget = this.#source.onChange(look);
    look();
    return forget;
  }

  /** Since when there is no leader, ms; looked after until there is one. */
  #lostSinceMs(): number {
    if (!this.#lost) {
      this.#lost = { sinceMs: this.#clock.monotonic() };
      const forget = this.#source.onChange(() => {
        if (this.#source.leader() === undefined) return;
        this.#lost = undefined;
        forget();
      });
    }
    return this.#lost.sinceMs;
  }

  /** A leader that is wanted, if there is one within `timeoutMs`. */
  #wait(
    timeoutMs: number,
    signal: AbortSignal,
    isWanted: (found: Leader) => boolean,
  ): Promise<Leader | undefined> {
    return new Promise((resolve, reject) => {
      const end = () => {
        cancelTimer();
        forget();
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        end();
        reject(canceled());
      };
      const look = () => {
        const found = this.#source.leader();
        if (found === undefined || !isWanted(found)) return;
        end();
        resolve(found);
      };
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        end();
        resolve(undefined);
      });
      const forget = this.#source.onChange(look);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else look();
    });
  }
}
