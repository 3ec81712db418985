import type { Clock, Random } from '@skep/platform';
import type { SimWire } from './wire.js';

/** How long a segment takes: uniformly between the two, ms. */
export interface Delay {
  minMs: number;
  maxMs: number;
}

/** From one host to another, by IP. */
export interface Route {
  from: string;
  to: string;
}

export type HostState = 'up' | 'paused' | 'down';

const DELAY_DEFAULT: Delay = { minMs: 0.1, maxMs: 1 };

/** TCP sends again what is lost after this, then after twice as long, … (Linux' minimum). */
const RETRANSMIT_MS = 200;
const RETRANSMITS_MAX = 6;

/** How often a connection that was cut breaks when it is whole again, instead of going on late. */
const BREAK_CHANCE = 0.5;

/** The longest pause of TCP between two attempts, as far as runs are long enough to see it, ms. */
const RETRANSMIT_PAUSE_MAX_MS = 10_000;

/** The ways between hosts, their delays and faults. Each way is its own direction. */
export class SimRoutes {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #wires = new Set<SimWire>();
  readonly #cuts = new Set<string>();
  readonly #delays = new Map<string, Delay>();
  readonly #losses = new Map<string, number>();
  readonly #hosts = new Map<string, HostState>();
  #delay = DELAY_DEFAULT;
  #loss = 0;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.#random = random;
  }

  setDelay(delay: Delay, route?: Route): void {
    if (route) this.#delays.set(keyOf(route), delay);
    else this.#delay = delay;
  }

  /** @param rate how many segments are lost at first, 0 … 1; they arrive later all the same */
  setLoss(rate: number, route?: Route): void {
    if (route) this.#losses.set(keyOf(route), rate);
    else this.#loss = rate;
  }

  cut(route: Route): void {
    this.#cuts.add(keyOf(route));
  }

  /** Mends one way, or all. */
  heal(route?: Route): void {
    if (route) this.#cuts.delete(keyOf(route));
    else this.#cuts.clear();
    this.#release();
  }

  setHost(address: string, state: HostState): void {
    this.#hosts.set(address, state);
    if (state === 'up') this.#release();
  }

  stateOf(address: string): HostState {
    return this.#hosts.get(address) ?? 'up';
  }

  add(wire: SimWire): void {
    this.#wires.add(wire);
  }

  forget(wire: SimWire): void {
    this.#wires.delete(wire);
  }

  /** Connections with an end at the host, in the order they were made. */
  wiresAt(address: string): SimWire[] {
    return [...this.#wires].filter(
      (wire) => wire.hostOf('client') === address || wire.hostOf('server') === address,
    );
  }

  isBlocked(route: Route): boolean {
    return this.isCut(route) || this.stateOf(route.to) === 'paused';
  }

  /** Whether nothing gets through, not even to the other host's kernel. */
  isCut(route: Route): boolean {
    return this.#cuts.has(keyOf(route)) || this.stateOf(route.to) === 'down';
  }

  /** How long the next segment takes, with what TCP needs to send it again when it is lost. */
  delayMs(route: Route): number {
    const key = keyOf(route);
    const { minMs, maxMs } = this.#delays.get(key) ?? this.#delay;
    let delayMs = minMs + (maxMs - minMs) * this.#random.float();
    const loss = this.#losses.get(key) ?? this.#loss;
    for (let times = 0; times < RETRANSMITS_MAX && loss > 0; times++) {
      if (this.#random.float() >= loss) break;
      delayMs += RETRANSMIT_MS * 2 ** times;
    }
    return delayMs;
  }

  /**
   * What becomes of segments that waited since `sinceMs` for a way that was cut, and is open again.
   */
  fateOfHeld(route: Route, sinceMs: number): 'reset' | { delayMs: number } {
    const waitedMs = this.clock.monotonic() - sinceMs;
    const latestMs = Math.min(waitedMs, RETRANSMIT_PAUSE_MAX_MS);
    if (waitedMs > RETRANSMIT_MS && this.#random.float() < BREAK_CHANCE) return 'reset';
    return { delayMs: this.delayMs(route) + latestMs * this.#random.float() };
  }

  #release(): void {
    for (const wire of [...this.#wires]) wire.release();
  }
}

function keyOf({ from, to }: Route): string {
  return `${from}>${to}`;
}
