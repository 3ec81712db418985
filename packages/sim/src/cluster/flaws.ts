import type { SwarmFlaw } from '@skep/manager';
import type { ClusterFaultKind } from './faults/contract.js';

/** A known bug that the nodes of a swarm can be given. */
export interface ClusterFlaw {
  /** Where the like was found first. */
  foundIn: string;
  /** Faults that soon show it. */
  shownBy: readonly ClusterFaultKind[];
  /** How the failure is told. */
  told: RegExp;
  /** Where a search begins: a seed that showed it. */
  seed: number;
}

export const SWARM_FLAWS: Readonly<Record<SwarmFlaw, ClusterFlaw>> = {
  'change-lost-while-telling': {
    foundIn: 'moby 47728',
    shownBy: ['exit', 'crash'],
    told: /lacks|still has/,
    seed: 1,
  },
  'complete-adds-only': {
    foundIn: 'moby 38575',
    shownBy: ['partition', 'crash'],
    told: /lacks|still has/,
    seed: 1,
  },
  'former-completions-count': {
    foundIn: 'swarmkit 2878',
    shownBy: ['exit'],
    told: /has done \d of|is not done on/,
    seed: 3,
  },
  'former-run-goes-on': {
    foundIn: 'swarmkit 2899',
    shownBy: ['exit'],
    told: /still works on run/,
    seed: 3,
  },
  'update-forgotten': {
    foundIn: 'deploykit 401',
    shownBy: ['crash'],
    told: /is (UPDATING|ROLLBACK_STARTED)/,
    seed: 2,
  },
};
