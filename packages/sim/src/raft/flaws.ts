import type { Flaw } from '@skep/raft';

/** Each known bug a Raft node can be given, and where it was found first. */
export const RAFT_FLAWS: Readonly<Record<Flaw, string>> = {
  'acknowledge-before-durable': 'etcd 14370',
  'change-before-own-term': 'raft-dev 2015, single-server membership changes',
  'commit-former-terms': 'Raft paper, figure 8',
  'compact-before-snapshot': 'etcd 14685',
  'damage-is-the-end': 'NATS JetStream 2.12.1, bit flips',
  'ignore-sync-error': 'fsyncgate 2018',
  'never-sync': 'NATS JetStream 2.12.1, power failures',
  'read-without-quorum': 'etcd 20418; Consul and etcd 2014',
  'snapshot-before-apply': 'etcd 13766',
  'take-old-snapshot': 'etcd 18055',
  'vote-not-persisted': 'Raft paper, figure 2',
  'vote-twice': 'Raft paper, section 5.2',
  'voters-forgotten': 'SwarmKit 963',
};
