import type { GossipFlaw } from '@skep/gossip';
import type { GossipFaultKind } from './contract.js';

/** A known bug that a node can be given. */
interface KnownFlaw {
  /** Where it was found first. */
  foundIn: string;
  /** Faults that soon show it. */
  shownBy: readonly GossipFaultKind[];
  /** Where a search begins: a seed that showed it. */
  seed: number;
}

export const GOSSIP_FLAWS: Readonly<Record<GossipFlaw, KnownFlaw>> = {
  'address-is-proof': { foundIn: 'moby 53688', shownBy: ['crash', 'replay'], seed: 5 },
  'failed-for-good': { foundIn: 'libnetwork 2256', shownBy: ['partition'], seed: 1 },
  'failed-keep-keys': { foundIn: 'moby 53141', shownBy: ['crash'], seed: 1 },
  'silent-owner': { foundIn: 'moby 47728', shownBy: ['crash'], seed: 3 },
};
