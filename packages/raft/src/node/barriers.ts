import type { Cancel, Clock, Random } from '@skep/platform';
import { Code, RpcError } from '@skep/platform';
import type { ConfirmedRead } from '../core/contract.js';
import { READ_RETRY_MS, READ_TIMEOUT_MS, READS_WAITING_MAX } from '../limits.js';

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
  cancelTimeout: Cancel;
}

export interface BarriersOptions {
  clock: Clock;
  random: Random;
  /** Asks the core to confirm; false when nobody can be asked now. */
  request(context: Uint8Array): boolean;
  /** Index of the last entry applied. */
  applied(): bigint;
  /** Why a read cannot be confirmed. */
  refusal(): RpcError;
}

const PREFIX_BYTES = 8;

/**
 * Reads that wait until this node has applied all that was acknowledged before they were asked for.
 * They share rounds: those that come while a round is asked for take the next, as its answer may be
 * older than they are.
 */
export class ReadBarriers {
  readonly #options: BarriersOptions;
  readonly #prefix: Uint8Array;
  #rounds = 0n;
  #waiting = new Set<Waiter>();
  #round: { number: bigint; waiters: Set<Waiter> } | undefined;
  /** Confirmed, and waiting for what they need to be applied. */
  #confirmed: { index: bigint; waiters: Set<Waiter> }[] = [];
  #cancelRetry: Cancel | undefined;

  constructor(options: BarriersOptions) {
    this.#options = options;
    this.#prefix = options.random.bytes(PREFIX_BYTES);
  }

  /** Rejects with UNAVAILABLE after 5 s, with RESOURCE_EXHAUSTED at once when too many wait. */
  wait(): Promise<void> {
    if (this.#waiting.size >= READS_WAITING_MAX) {
      const text = 'raft: too many reads wait for confirmation';
      return Promise.reject(new RpcError(Code.RESOURCE_EXHAUSTED, text));
    }
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.#options.clock.after(READ_TIMEOUT_MS, () => {
        this.#forget(waiter);
        reject(this.#options.refusal());
      });
      const waiter = { resolve, reject, cancelTimeout };
      this.#waiting.add(waiter);
      if (!this.#round) this.#begin();
    });
  }

  confirm({ context, index }: ConfirmedRead): void {
    const round = this.#round;
    if (!round || Buffer.compare(context, this.#contextOf(round.number)) !== 0) return;
    this.#round = undefined;
    this.#cancelRetry?.();
    this.#confirmed.push({ index, waiters: round.waiters });
    this.applied();
    if (this.#waiting.size > 0) this.#begin();
  }

  /** More may have been applied. */
  applied(): void {
    const applied = this.#options.applied();
    this.#confirmed = this.#confirmed.filter(({ index, waiters }) => {
      if (index > applied) return true;
      for (const waiter of waiters) {
        waiter.cancelTimeout();
        waiter.resolve();
      }
      return false;
    });
  }

  /** Rejects all. */
  close(reason: Error): void {
    const waiters = [this.#waiting, this.#round?.waiters, ...this.#confirmed.map((c) => c.waiters)];
    for (const waiter of waiters.flatMap((set) => [...(set ?? [])])) {
      waiter.cancelTimeout();
      waiter.reject(reason);
    }
    this.#waiting.clear();
    this.#round = undefined;
    this.#confirmed = [];
    this.#cancelRetry?.();
  }

  /**
   * Asks anew with each try: an answer to an earlier one is then of no more interest, and does no
   * harm.
   */
  #begin(): void {
    const waiters = new Set([...(this.#round?.waiters ?? []), ...this.#waiting]);
    this.#waiting.clear();
    this.#round = { number: ++this.#rounds, waiters };
    this.#cancelRetry = this.#options.clock.after(READ_RETRY_MS, () => {
      if (this.#round && this.#round.waiters.size + this.#waiting.size > 0) this.#begin();
      else this.#round = undefined;
    });
    this.#options.request(this.#contextOf(this.#round.number));
  }

  #forget(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    this.#round?.waiters.delete(waiter);
    for (const { waiters } of this.#confirmed) waiters.delete(waiter);
  }

  #contextOf(round: bigint): Uint8Array {
    const context = new Uint8Array(PREFIX_BYTES + 8);
    context.set(this.#prefix);
    new DataView(context.buffer).setBigUint64(PREFIX_BYTES, round);
    return context;
  }
}
