import { type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import { isNotLeader, type RaftStatus } from '@skep/raft';
import { NO_LEADER_TEXT, NotSentError } from '@skep/rpc';
import { ANSWER_GRACE_MS, LEADER_WAIT_MS, QUORUM_WAIT_MS, RETRY_PAUSE_MS } from '../limits.js';
import { type MoveSignals, MoveWatch } from './move-watch.js';

export interface LeaderFinderOptions<T> {
  clock: Clock;
  /** The way to the leader; undefined while none is known. */
  find(): T | undefined;
  status(): RaftStatus;
  onChange(listener: () => void): () => void;
}

/** A read that moved is made again at once; a write that was sent may still be answered. */
const READ_TIMES = { graceMs: 0, lostMs: 0 };
const WRITE_TIMES = { graceMs: ANSWER_GRACE_MS, lostMs: LEADER_WAIT_MS };

/**
 * Finds the leader for a user's request. Right after a leader is lost another is likely to follow
 * at once, so that is waited for; a swarm that has had none for a while refuses requests without
 * delay.
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
    let found = await this.#found(QUORUM_WAIT_MS);
    const { reachable, needed } = this.#quorum();
    if (reachable >= needed) found ??= await this.#found(LEADER_WAIT_MS);
    if (found !== undefined) return found;
    throw new RpcError(Code.UNKNOWN, `${NO_LEADER_TEXT} ${this.#arithmetic()}`);
  }

  /**
   * Calls the leader; again for a while when it could not be reached or leads no more, if that can
   * do no harm: nothing was sent, or `isRead`. A write that was sent gets a little time for its
   * answer, then its outcome is unknown.
   */
  async call<R>(
    isRead: boolean,
    fn: (to: T, signals: () => MoveSignals) => Promise<R>,
  ): Promise<R> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + LEADER_WAIT_MS;
    for (;;) {
      const to = await this.leader();
      const watch = new MoveWatch({ ...this.#options, to, ...(isRead ? READ_TIMES : WRITE_TIMES) });
      try {
        return await fn(to, () => watch.signals());
      } catch (error) {
        const { isAborted } = watch;
        const mayRepeat =
          isNotLeader(error) || error instanceof NotSentError || (isRead && isAborted);
        if (!mayRepeat) throw isAborted ? this.#unknownOutcome(error) : error;
        if (clock.monotonic() >= endMs) throw error;
      } finally {
        watch.end();
      }
      // It may be about to lead, or be started again; another does not have to be waited for.
      await this.#wait(RETRY_PAUSE_MS, (now) => now !== to);
    }
  }

  #look(): T | undefined {
    const found = this.#options.find();
    if (found !== undefined) this.#lostAtMs = undefined;
    else this.#lostAtMs ??= this.#options.clock.monotonic();
    return found;
  }

  /** The leader, if there is one before there has been none for `silenceMs`. */
  async #found(silenceMs: number): Promise<T | undefined> {
    const nowMs = this.#options.clock.monotonic();
    const leftMs = (this.#lostAtMs ?? nowMs) + silenceMs - nowMs;
    return leftMs > 0 ? this.#wait(leftMs, () => true) : this.#look();
  }

  #wait(timeoutMs: number, isWanted: (found: T) => boolean): Promise<T | undefined> {
    return new Promise((resolve) => {
      const end = (found: T | undefined) => {
        cancel();
        forget();
        resolve(found);
      };
      const cancel = this.#options.clock.after(timeoutMs, () => end(undefined));
      const forget = this.#options.onChange(() => {
        const found = this.#options.find();
        if (found !== undefined && isWanted(found)) end(found);
      });
      const already = this.#options.find();
      if (already !== undefined && isWanted(already)) end(already);
    });
  }

  #quorum(): { reachable: number; managers: number; needed: number } {
    const { members } = this.#options.status();
    const reachable = members.filter(({ isReachable }) => isReachable).length;
    return { reachable, managers: members.length, needed: Math.floor(members.length / 2) + 1 };
  }

  #arithmetic(): string {
    const { reachable, managers, needed } = this.#quorum();
    return `(${reachable} of ${managers} managers reachable, ${needed} needed)`;
  }

  #unknownOutcome(cause: unknown): RpcError {
    const [what, why] =
      this.#options.find() === undefined
        ? ['was lost', ` ${this.#arithmetic()}`]
        : ['changed', `: ${errorMessage(cause)}`];
    const text = `the leader ${what} before it answered; the outcome is unknown${why}`;
    return new RpcError(Code.UNAVAILABLE, text, { cause });
  }
}
