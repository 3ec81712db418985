import type { Address } from '../../address.js';
import { FAILED_NODE_MS, MEMBERS_MAX } from '../../limits.js';

/**
 * `failed`: nothing is heard of it. Its entries are not shown, and kept: it may come back. `left`: it said
 * so, and what it had is gone.
 */
export type PeerState = 'active' | 'failed' | 'left';

/** A node that tables hear from, this one left out. */
export interface Peer {
  name: string;
  address: Address;
  versions: Uint8Array;
  state: PeerState;
  /** Of the last event in which it came or went. */
  lamportTime: bigint;
  /** In the core's time. */
  changedMs: number;
}

/**
 * Nodes by their names, which is all that tells them apart: a node that begins again does so under another
 * name, and at whichever address.
 */
export class Peers {
  readonly #peers = new Map<string, Peer>();

  get(name: string): Peer | undefined {
    return this.#peers.get(name);
  }

  all(): Peer[] {
    return [...this.#peers.values()];
  }

  isActive(name: string): boolean {
    return this.#peers.get(name)?.state === 'active';
  }

  add(peer: Peer): void {
    this.#peers.set(peer.name, peer);
    if (this.#peers.size > 2 * MEMBERS_MAX) this.#forgetOldest();
  }

  /** Those that have been gone for so long that nobody waits for them; they are forgotten. */
  expire(nowMs: number): Peer[] {
    const expired = this.all().filter(
      ({ state, changedMs }) => state !== 'active' && nowMs - changedMs > FAILED_NODE_MS,
    );
    for (const { name } of expired) this.#peers.delete(name);
    return expired;
  }

  #forgetOldest(): void {
    const oldest = this.all().find(({ state }) => state === 'left');
    if (oldest) this.#peers.delete(oldest.name);
  }
}
