import type { Random } from '@skep/platform';
import { Draw, type Timeline } from '../engine/index.js';

/** How good the ways between machines are. */
export interface LinkQuality {
  /** Shortest and longest time a packet takes, ms. */
  delayMs: readonly [number, number];
  /** How often a packet takes ten times as long, 0 … 1: that is what puts packets out of order. */
  lateProbability: number;
  lossProbability: number;
  duplicateProbability: number;
}

const LATE_FACTOR = 10;

/** The ways between machines, each of which can be cut, clogged and opened again in one direction alone. */
export class Links {
  quality: LinkQuality;
  readonly #timeline: Timeline;
  readonly #draw: Draw;
  readonly #cuts = new Map<string, number>();
  readonly #cloggedUntilMs = new Map<string, number>();

  constructor(options: { timeline: Timeline; random: Random; quality: LinkQuality }) {
    this.#timeline = options.timeline;
    this.#draw = new Draw(options.random);
    this.quality = options.quality;
  }

  /** Cuts the way from one machine to another; returns how to mend that cut (others may remain). */
  cut(from: string, to: string): () => void {
    const way = wayOf(from, to);
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
    let isMended = false;
    return () => {
      if (isMended) return;
      isMended = true;
      this.#cuts.set(way, (this.#cuts.get(way) ?? 1) - 1);
    };
  }

  isCut(from: string, to: string): boolean {
    return (this.#cuts.get(wayOf(from, to)) ?? 0) > 0;
  }

  /** Holds back everything on the way until then; it all arrives afterwards. */
  clog(from: string, to: string, forMs: number): void {
    this.#cloggedUntilMs.set(wayOf(from, to), this.#timeline.nowMs + forMs);
  }

  /**
   * Sends a packet: `arrive` is called never, once or twice. `isReliable` is how TCP has it: late instead of
   * lost, and never doubled; only a cut loses it. Returns whether it will arrive at all.
   */
  send(from: string, to: string, isReliable: boolean, arrive: () => void): boolean {
    const { lossProbability, duplicateProbability } = this.quality;
    const isLost = this.#draw.chance(lossProbability);
    const isDoubled = this.#draw.chance(duplicateProbability) && !isReliable;
    const delays = [
      this.#delayMs(isLost && isReliable),
      ...(isDoubled ? [this.#delayMs(true)] : []),
    ];
    if (this.isCut(from, to) || (isLost && !isReliable)) return false;
    const heldMs = Math.max(
      0,
      (this.#cloggedUntilMs.get(wayOf(from, to)) ?? 0) - this.#timeline.nowMs,
    );
    for (const delayMs of delays) {
      this.#timeline.after(heldMs + delayMs, () => {
        if (!this.isCut(from, to)) arrive();
      });
    }
    return true;
  }

  #delayMs(isLate: boolean): number {
    const { delayMs, lateProbability } = this.quality;
    const [shortest, longest] = delayMs;
    const delay = shortest + (longest - shortest) * this.#draw.random.float();
    return this.#draw.chance(lateProbability) || isLate ? delay * LATE_FACTOR : delay;
  }
}

function wayOf(from: string, to: string): string {
  return `${from}>${to}`;
}
