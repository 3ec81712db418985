import type { NetworksFlaw } from '@skep/manager';
import type { ClusterFaultKind } from './faults/contract.js';

/** A known bug that the nodes of a swarm can be given. */
export interface ClusterFlaw {
  /** Where the like was found first. */
  foundIn: string;
  /** Faults that soon show it. */
  shownBy: readonly ClusterFaultKind[];
  /** Where a search begins: a seed that showed it. */
  seed: number;
}

export const NETWORKS_FLAWS: Readonly<Record<NetworksFlaw, ClusterFlaw>> = {
  'change-lost-while-telling': {
    foundIn: 'moby 47728',
    shownBy: ['exit', 'crash'],
    seed: 1,
  },
  'complete-adds-only': {
    foundIn: 'moby 38575',
    shownBy: ['partition', 'crash'],
    seed: 1,
  },
};
