import type { Flaw } from '@skep/raft';

/** Each known bug a Raft node can be given, and where it was found first. */
export const RAFT_FLAWS: Readonly<Record<Flaw, string>> = {
  'acknowledge-before-durable': 'etcd 14370',
  'acknowledge-before-sync': 'etcd 14370',
  'change-before-own-term': 'raft-dev 2015, single-server membership changes',
  'commit-former-terms': 'Raft paper, figure 8',
  'ignore-sync-error': 'fsyncgate 2018',
  'read-without-quorum': 'etcd 20418',
  'snapshot-before-apply': 'etcd 13766',
  'vote-not-persisted': 'Raft paper, figure 2',
  'vote-twice': 'Raft paper, section 5.2',
};
