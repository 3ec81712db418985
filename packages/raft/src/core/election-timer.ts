import { type Random, randomBelow } from '@skep/platform';
import { HINT_TICKS_MAX } from './limits.js';

/** When a node that hears of no leader takes the matter in hand. */
export class ElectionTimer {
  readonly #electionTicks: number;
  readonly #random: Random;
  #elapsed = 0;
  #timeout = 0;
  #isLeaderSuspect = false;
  /** Elections since a leader was heard of. */
  #attempts = 0;

  constructor(electionTicks: number, random: Random) {
    this.#electionTicks = electionTicks;
    this.#random = random;
    this.restart();
  }

  /** Ticks since a leader was heard, or the timer restarted. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /**
   * Whether a leader was heard within the shortest election timeout, and nothing speaks against it.
   */
  get isLeaderFresh(): boolean {
    return this.#elapsed < this.#electionTicks && !this.#isLeaderSuspect;
  }

  /** Counts a tick. True when it is time for an election, until the timer restarts. */
  tick(): boolean {
    this.#elapsed++;
    return this.#elapsed >= this.#timeout;
  }

  /** Counts anew, with a new timeout: electionTicks and up to as many more, at random. */
  restart(): void {
    this.#elapsed = 0;
    this.#isLeaderSuspect = false;
    this.#timeout = this.#electionTicks + randomBelow(this.#random, this.#electionTicks);
  }

  /** The leader was heard, or somebody was voted for. */
  heard(): void {
    if (this.#isLeaderSuspect) this.restart();
    this.#elapsed = 0;
    this.#attempts = 0;
  }

  /** The leader may be gone: looks soon, and does not refuse others who look on its account. */
  suspectLeader(): void {
    this.#isLeaderSuspect = true;
    this.#expireIn(1 + randomBelow(this.#random, HINT_TICKS_MAX));
  }

  /** An election begins that asks first. */
  attempt(): void {
    this.#attempts++;
    this.retrySoon();
  }

  /**
   * The election under way may come to nothing, with no leader in sight: the next comes soon, and
   * the later the more have failed, up to the usual timeout, which leaves slow disks and networks
   * the time they need. Only for those that ask first: without, each try costs a term.
   */
  retrySoon(): void {
    const least = Math.min(2 ** this.#attempts, this.#electionTicks);
    this.#expireIn(least + randomBelow(this.#random, least + 1));
  }

  #expireIn(ticks: number): void {
    const timeout = this.#elapsed + ticks;
    if (timeout < this.#timeout) this.#timeout = timeout;
  }
}
