import { PENDING_READS_MAX } from './limits.js';

/** A read that somebody asked for: this node, or a follower on behalf of which the leader asks. */
export interface PendingRead {
  from: bigint;
  context: Uint8Array;
}

interface Round {
  number: bigint;
  /** Bytes of `number`, which go with heartbeats and come back with their answers. */
  context: Uint8Array;
  /** The leader's commit when the round began: its reads may be answered from there on. */
  index: bigint;
  reads: readonly PendingRead[];
}

const NO_CONTEXT = new Uint8Array(0);
const CONTEXT_BYTES = 8;

/**
 * Reads that wait for a quorum to confirm that this node still leads (Raft thesis 6.4). One round
 * of heartbeats is under way at a time; what is asked for meanwhile shares the next one.
 */
export class Reads {
  #waiting: PendingRead[] = [];
  #round: Round | undefined;
  #lastRound = 0n;

  /** False when there are too many. */
  add(read: PendingRead): boolean {
    if (this.#waiting.length + (this.#round?.reads.length ?? 0) >= PENDING_READS_MAX) return false;
    this.#waiting.push(read);
    return true;
  }

  get canStart(): boolean {
    return !this.#round && this.#waiting.length > 0;
  }

  /** What heartbeats have to carry; empty when no round is under way. */
  get context(): Uint8Array {
    return this.#round?.context ?? NO_CONTEXT;
  }

  /** Number of the round under way; 0 for none. */
  get current(): bigint {
    return this.#round?.number ?? 0n;
  }

  start(index: bigint): void {
    this.#lastRound++;
    const context = new Uint8Array(CONTEXT_BYTES);
    new DataView(context.buffer).setBigUint64(0, this.#lastRound);
    this.#round = { number: this.#lastRound, context, index, reads: this.#waiting };
    this.#waiting = [];
  }

  /** A quorum confirmed all rounds up to this one. Returns what it settles. */
  finish(round: bigint): { index: bigint; reads: readonly PendingRead[] } | undefined {
    const done = this.#round;
    if (!done || round < done.number) return undefined;
    this.#round = undefined;
    return done;
  }
}

/** The round that an answer to a heartbeat confirms; 0 for none. */
export function roundOf(context: Uint8Array): bigint {
  if (context.length !== CONTEXT_BYTES) return 0n;
  return new DataView(context.buffer, context.byteOffset, CONTEXT_BYTES).getBigUint64(0);
}
