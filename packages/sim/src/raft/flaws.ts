import type { Flaw } from '@skep/raft';
import type { FaultKind } from './faults/index.js';

/** A known bug that a Raft node can be given. */
export interface RaftFlaw {
  /** Where it was found first. */
  foundIn: string;
  /** Faults that soon show it. */
  shownBy: readonly FaultKind[];
  /** Where a search begins: a seed that showed it. Left out while none is known. */
  seed?: number;
}

/**
 * All but one: whoever leads writes nothing before the empty entry of its term is applied, so that in a whole node
 * `change-before-own-term` changes nothing. The core's own tests show that one.
 */
export const RAFT_FLAWS: Readonly<Record<Exclude<Flaw, 'change-before-own-term'>, RaftFlaw>> = {
  'acknowledge-before-durable': {
    foundIn: 'etcd 14370',
    shownBy: ['power-cut-at', 'crash-all', 'slow-disk'],
    seed: 1,
  },
  'commit-former-terms': {
    foundIn: 'Raft paper, figure 8',
    shownBy: ['partition', 'pause', 'crash'],
  },
  'compact-before-snapshot': { foundIn: 'etcd 14685', shownBy: ['power-cut-at'], seed: 62 },
  'damage-is-the-end': {
    foundIn: 'NATS JetStream 2.12.1, bit flips',
    shownBy: ['bit-flip'],
    seed: 78,
  },
  'ignore-sync-error': { foundIn: 'fsyncgate 2018', shownBy: ['sync-error'], seed: 1 },
  'never-sync': { foundIn: 'NATS JetStream 2.12.1, power failures', shownBy: ['crash'], seed: 1 },
  'read-without-quorum': {
    foundIn: 'etcd 20418; Consul and etcd 2014',
    shownBy: ['pause', 'partition'],
    seed: 196,
  },
  'snapshot-before-apply': { foundIn: 'etcd 13766', shownBy: ['crash', 'crash-all'] },
  'take-old-snapshot': { foundIn: 'etcd 18055', shownBy: ['partition', 'crash'], seed: 10 },
  'vote-not-persisted': {
    foundIn: 'Raft paper, figure 2',
    shownBy: ['crash', 'restart', 'partition'],
  },
  'vote-twice': { foundIn: 'Raft paper, section 5.2', shownBy: ['partition', 'transfer', 'crash'] },
  'voters-forgotten': { foundIn: 'SwarmKit 963', shownBy: ['crash-all', 'restart'], seed: 2 },
};
