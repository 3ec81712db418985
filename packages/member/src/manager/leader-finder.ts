import { type Cancel, type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import { isNotLeader, type RaftStatus } from '@skep/raft';
import { NO_LEADER_TEXT, NotSentError } from '@skep/rpc';
import { ANSWER_GRACE_MS, LEADER_WAIT_MS, QUORUM_WAIT_MS, RETRY_PAUSE_MS } from '../limits.js';

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
 * By which a call ends when the leader moved: at once while nothing was sent, else after a while.
 */
export interface MoveSignals {
  unsentSignal: AbortSignal;
  signal: AbortSignal;
}

/**
 * A signal made when it is asked for: a call to this very manager never asks, and they cost more
 * than it does.
 */
class LazyAbort {
  #controller: AbortController | undefined;
  isAborted = false;

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.isAborted = true;
    this.#controller?.abort();
  }
}

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
  async call<R>(isRead: boolean, fn: (to: T, signals: MoveSignals) => Promise<R>): Promise<R> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + LEADER_WAIT_MS;
    for (;;) {
      const to = await this.leader();
      const { signals, sent, forget } = this.#whenMoved(to, isRead ? READ_TIMES : WRITE_TIMES);
      try {
        return await fn(to, signals);
      } catch (error) {
        const { isAborted } = sent;
        const mayRepeat =
          isNotLeader(error) || error instanceof NotSentError || (isRead && isAborted);
        if (!mayRepeat) throw isAborted ? this.#unknownOutcome(error) : error;
        if (clock.monotonic() >= endMs) throw error;
      } finally {
        forget();
      }
      // It may be about to lead, or be started again; another does not have to be waited for.
      await this.#wait(RETRY_PAUSE_MS, (now) => now !== to);
    }
  }

  /**
   * Signals that abort when the leader is another than `to`; that of calls sent `graceMs` later, or
   * `lostMs` after there was none any more.
   */
  #whenMoved(
    to: T,
    { graceMs, lostMs }: { graceMs: number; lostMs: number },
  ): { signals: MoveSignals; sent: LazyAbort; forget: () => void } {
    const { clock, find, onChange } = this.#options;
    const unsent = new LazyAbort();
    const sent = new LazyAbort();
    let cancel: Cancel = () => {};
    let seen: T | undefined = to;
    const look = () => {
      const now = find();
      if (now === seen) return;
      seen = now;
      cancel();
      if (now === to) return;
      if (now !== undefined) unsent.abort();
      cancel = clock.after(now === undefined ? lostMs : graceMs, () => sent.abort());
    };
    const forget = onChange(look);
    look();
    return {
      signals: {
        get unsentSignal() {
          return unsent.signal;
        },
        get signal() {
          return sent.signal;
        },
      },
      sent,
      forget: () => {
        forget();
        cancel();
      },
    };
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
