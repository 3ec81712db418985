import { type Random, randomBelow, SimRandom } from '@skep/platform';

/**
 * A stream of chance of its own for each purpose, all from one seed: so that one more draw in the network
 * does not change what the workload does, and a shrunken run stays near the one it came from.
 */
export function streamOf(seed: number, purpose: string): Random {
  let mixed = Math.imul(seed | 0, 0x9e3779b1) ^ 0x85ebca6b;
  for (let at = 0; at < purpose.length; at++) {
    mixed = Math.imul(mixed ^ purpose.charCodeAt(at), 0x01000193);
    mixed ^= mixed >>> 13;
  }
  return new SimRandom(mixed >>> 0);
}

/** Draws from a stream. */
export class Draw {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** True with the given probability, 0 … 1. */
  chance(probability: number): boolean {
    return this.random.float() < probability;
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + randomBelow(this.random, high - low + 1);
  }

  /** One of the items, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[randomBelow(this.random, items.length)] as T;
  }

  /** One of the names, each as likely as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.random.float() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return (entries.at(-1) as [K, number])[0];
  }

  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let at = result.length - 1; at > 0; at--) {
      const other = randomBelow(this.random, at + 1);
      [result[at], result[other]] = [result[other] as T, result[at] as T];
    }
    return result;
  }
}
