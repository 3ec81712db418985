import { BROADCASTS_MAX, RETRANSMIT_FACTOR } from '../limits.js';

interface Broadcast {
  bytes: Uint8Array;
  name: string | undefined;
  transmits: number;
  isReplaced: boolean;
}

/** How often a message is sent on, of `nodes` that are to hear of it. */
export function retransmitLimit(nodes: number): number {
  return RETRANSMIT_FACTOR * Math.max(1, Math.ceil(Math.log10(nodes + 1)));
}

export interface BroadcastQueueOptions {
  /** How many nodes are to hear of what is in it. */
  nodes: () => number;
  /** Messages longer than this fit no packet, and are not taken. */
  bytesMax: number;
}

/**
 * What is to be told on: those told least often first, the newest of them before others, each a limited
 * number of times. A message with a name takes the place of an earlier one of that name.
 */
export class BroadcastQueue {
  readonly #nodes: () => number;
  readonly #bytesMax: number;
  /** By how often they were sent, oldest first. */
  #tiers: Broadcast[][] = [];
  readonly #named = new Map<string, Broadcast>();
  #size = 0;

  constructor({ nodes, bytesMax }: BroadcastQueueOptions) {
    this.#nodes = nodes;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#size;
  }

  /** False for a message that is too long to be told. */
  push(bytes: Uint8Array, name?: string): boolean {
    const replaced = name === undefined ? undefined : this.#named.get(name);
    if (replaced) this.#forget(replaced);
    if (bytes.length > this.#bytesMax) return false;
    if (this.#size >= BROADCASTS_MAX) this.#dropMostTold();
    const broadcast: Broadcast = { bytes, name, transmits: 0, isReplaced: false };
    this.#put(broadcast);
    if (name !== undefined) this.#named.set(name, broadcast);
    this.#size++;
    return true;
  }

  /** Messages of at most `bytesMax` together, each counted with `entryBytes` more. */
  take(entryBytes: number, bytesMax: number, countMax: number): Uint8Array[] {
    if (this.#size === 0) return [];
    const taken: Broadcast[] = [];
    let leftBytes = bytesMax;
    for (const [at, tier] of this.#tiers.entries()) {
      const stays: Broadcast[] = [];
      for (const broadcast of tier.reverse()) {
        if (broadcast.isReplaced) continue;
        const bytes = broadcast.bytes.length + entryBytes;
        const fits = bytes <= leftBytes && taken.length < countMax;
        if (!fits) {
          stays.push(broadcast);
          continue;
        }
        leftBytes -= bytes;
        taken.push(broadcast);
      }
      this.#tiers[at] = stays.reverse();
    }
    this.#putBack(taken);
    return taken.map(({ bytes }) => bytes);
  }

  #putBack(taken: readonly Broadcast[]): void {
    const limit = retransmitLimit(this.#nodes());
    for (const broadcast of taken) {
      broadcast.transmits++;
      if (broadcast.transmits < limit) this.#put(broadcast);
      else this.#forget(broadcast);
    }
  }

  #put(broadcast: Broadcast): void {
    while (this.#tiers.length <= broadcast.transmits) this.#tiers.push([]);
    this.#tiers[broadcast.transmits]?.push(broadcast);
  }

  #forget(broadcast: Broadcast): void {
    broadcast.isReplaced = true;
    if (broadcast.name !== undefined) this.#named.delete(broadcast.name);
    this.#size--;
  }

  #dropMostTold(): void {
    for (const tier of [...this.#tiers].reverse()) {
      const oldest = tier.find(({ isReplaced }) => !isReplaced);
      if (oldest) {
        this.#forget(oldest);
        return;
      }
    }
  }
}
