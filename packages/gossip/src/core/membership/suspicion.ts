import type { Cancel } from '@skep/platform';
import { PROBE_INTERVAL_MS, SUSPICION_FACTOR, SUSPICION_FACTOR_MAX } from '../../limits.js';
import type { Timers } from '../timers.js';

/** Confirmations after which a suspicion lasts no longer than it must. */
const CONFIRMATIONS = SUSPICION_FACTOR - 2;

/** Shortest time of a suspicion among so many nodes, ms. */
export function suspicionTimeoutMs(nodes: number): number {
  const scale = Math.max(1, Math.log10(Math.max(1, nodes)));
  return Math.floor(SUSPICION_FACTOR * scale * PROBE_INTERVAL_MS);
}

/** What is left of a suspicion that `confirmed` of `wanted` others share. May be below 0. */
export function suspicionLeftMs(
  confirmed: number,
  wanted: number,
  elapsedMs: number,
  [minMs, maxMs]: readonly [number, number],
): number {
  const part = wanted > 0 ? Math.log(confirmed + 1) / Math.log(wanted + 1) : 1;
  return Math.max(minMs, Math.floor(maxMs - part * (maxMs - minMs))) - elapsedMs;
}

export interface SuspicionOptions {
  timers: Timers;
  /** Who says so first. */
  from: string;
  /** Nodes known, the suspected one and this one included. */
  nodes: number;
  onOver: () => void;
}

/** A node is suspected: the more others say so, the sooner it is taken for dead. */
export class Suspicion {
  readonly #timers: Timers;
  readonly #onOver: () => void;
  readonly #wanted: number;
  readonly #boundsMs: readonly [number, number];
  readonly #startMs: number;
  readonly #heard: Set<string>;
  #confirmed = 0;
  #cancel: Cancel;

  constructor({ timers, from, nodes, onOver }: SuspicionOptions) {
    this.#timers = timers;
    this.#onOver = onOver;
    this.#wanted = nodes - 2 < CONFIRMATIONS ? 0 : CONFIRMATIONS;
    const minMs = suspicionTimeoutMs(nodes);
    this.#boundsMs = [minMs, SUSPICION_FACTOR_MAX * minMs];
    this.#startMs = timers.nowMs;
    this.#heard = new Set([from]);
    this.#cancel = timers.after(this.#leftMs(), onOver);
  }

  /** Whether that is news, and worth telling on. */
  confirm(from: string): boolean {
    if (this.#confirmed >= this.#wanted || this.#heard.has(from)) return false;
    this.#heard.add(from);
    this.#confirmed++;
    this.#cancel();
    this.#cancel = this.#timers.after(this.#leftMs(), this.#onOver);
    return true;
  }

  end(): void {
    this.#cancel();
  }

  #leftMs(): number {
    const elapsedMs = this.#timers.nowMs - this.#startMs;
    return suspicionLeftMs(this.#confirmed, this.#wanted, elapsedMs, this.#boundsMs);
  }
}
