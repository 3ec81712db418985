import { type Cancel, type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import { isNotLeader, type RaftStatus } from '@skep/raft';
import { NO_LEADER_TEXT, NotSentError } from '@skep/rpc';
import { ANSWER_GRACE_MS, LEADER_WAIT_MS, NOT_LEADING_PAUSE_MS } from '../limits.js';

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
      silentMs < LEADER_WAIT_MS
        ? await this.#wait(LEADER_WAIT_MS - silentMs, () => true)
        : undefined;
    if (found !== undefined) return found;
    throw new RpcError(Code.UNKNOWN, `${NO_LEADER_TEXT} ${this.#arithmetic()}`);
  }

  /**
   * Calls the leader; again when it turns out that it is another by now, if that can do no harm: nothing was
   * sent, or `isRead`. A write that was sent gets a little time for its answer, then its outcome is unknown.
   */
  async call<R>(isRead: boolean, fn: (to: T, signal: AbortSignal) => Promise<R>): Promise<R> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + LEADER_WAIT_MS;
    for (;;) {
      const to = await this.leader();
      const moved = new AbortController();
      const forget = this.#whenMoved(to, isRead ? 0 : ANSWER_GRACE_MS, () => moved.abort());
      try {
        return await fn(to, moved.signal);
      } catch (error) {
        if (isNotLeader(error) && clock.monotonic() < endMs) {
          // It is about to lead, or another is: either takes no longer than a few messages.
          await clock.sleep(NOT_LEADING_PAUSE_MS);
          continue;
        }
        const mayRepeat = error instanceof NotSentError || (isRead && moved.signal.aborted);
        if (!mayRepeat) throw moved.signal.aborted ? unknownOutcome(error) : error;
        if (!(await this.#isElsewhere(to))) throw error;
      } finally {
        forget();
      }
    }
  }

  /** Calls `fn` once, `graceMs` after the leader became another than `to`. */
  #whenMoved(to: T, graceMs: number, fn: () => void): () => void {
    let cancel: Cancel = () => {};
    let isMoved = false;
    const forget = this.#options.onChange(() => {
      const now = this.#options.find();
      if (isMoved || now === undefined || now === to) return;
      isMoved = true;
      cancel = this.#options.clock.after(graceMs, fn);
    });
    return () => {
      forget();
      cancel();
    };
  }

  /** Whether the leader becomes another than `to` in the time that finding one may take. */
  async #isElsewhere(to: T): Promise<boolean> {
    const found = await this.#wait(LEADER_WAIT_MS, (now) => now !== to);
    return found !== undefined;
  }

  #look(): T | undefined {
    const found = this.#options.find();
    if (found !== undefined) this.#lostAtMs = undefined;
    else this.#lostAtMs ??= this.#options.clock.monotonic();
    return found;
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

  #arithmetic(): string {
    const { members } = this.#options.status();
    const reachable = members.filter(({ isReachable }) => isReachable).length;
    const needed = Math.floor(members.length / 2) + 1;
    return `(${reachable} of ${members.length} managers reachable, ${needed} needed)`;
  }
}

function unknownOutcome(cause: unknown): RpcError {
  const text = `the leader changed before it answered; the outcome is unknown: ${errorMessage(cause)}`;
  return new RpcError(Code.UNAVAILABLE, text, { cause });
}
