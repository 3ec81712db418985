import { type Clock, Code, RpcError } from '@skep/platform';
import type { RaftStatus } from '@skep/raft';
import { LEADER_WAIT_MS } from '../limits.js';

/** Docker's words, which scripts look for. */
const NO_LEADER =
  "The swarm does not have a leader. It's possible that too few managers are online. " +
  'Make sure more than half of the managers are online.';

export interface LeaderFinderOptions<T> {
  clock: Clock;
  /** The way to the leader; undefined while none is known. */
  find(): T | undefined;
  status(): RaftStatus;
  onChange(listener: () => void): () => void;
}

/**
 * Finds the leader for a user's request. Right after a leader is lost another is likely to follow at once, so
 * that is waited for; a swarm that has had none for a while refuses requests without delay.
 */
export class LeaderFinder<T> {
  readonly #options: LeaderFinderOptions<T>;
  readonly #forget: () => void;
  #lostAtMs: number | undefined;

  constructor(options: LeaderFinderOptions<T>) {
    this.#options = options;
    this.#forget = options.onChange(() => this.#look());
    this.#look();
  }

  close(): void {
    this.#forget();
  }

  /** Rejects with UNKNOWN, as SwarmKit does, when there is no leader in time. */
  async leader(): Promise<T> {
    const known = this.#look();
    if (known !== undefined) return known;
    const { clock } = this.#options;
    const silentMs = clock.monotonic() - (this.#lostAtMs ?? clock.monotonic());
    const found =
      silentMs < LEADER_WAIT_MS ? await this.#wait(LEADER_WAIT_MS - silentMs) : undefined;
    if (found !== undefined) return found;
    throw new RpcError(Code.UNKNOWN, `${NO_LEADER} ${this.#arithmetic()}`);
  }

  #look(): T | undefined {
    const found = this.#options.find();
    if (found !== undefined) this.#lostAtMs = undefined;
    else this.#lostAtMs ??= this.#options.clock.monotonic();
    return found;
  }

  #wait(timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const end = (found: T | undefined) => {
        cancel();
        forget();
        resolve(found);
      };
      const cancel = this.#options.clock.after(timeoutMs, () => end(undefined));
      const forget = this.#options.onChange(() => {
        const found = this.#options.find();
        if (found !== undefined) end(found);
      });
    });
  }

  #arithmetic(): string {
    const { members } = this.#options.status();
    const reachable = members.filter(({ isReachable }) => isReachable).length;
    const needed = Math.floor(members.length / 2) + 1;
    return `(${reachable} of ${members.length} managers reachable, ${needed} needed)`;
  }
}
