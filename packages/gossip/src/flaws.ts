/**
 * Known bugs of networkdb that a node can be given, so that tests can show that they would be noticed.
 * Nothing that a user can set leads here.
 */
export type GossipFlaw =
  /** A node that was there before at an address has left when another is heard of there (moby 53688). */
  | 'address-is-proof'
  /** A node that failed once stays so for its tables, whatever the membership says (libnetwork 2256). */
  | 'failed-for-good'
  /** What a node that failed has written keeps others from its keys, unseen (moby 53141). */
  | 'failed-keep-keys'
  /** A node does not contradict what others hold wrongly of it (moby 47728). */
  | 'silent-owner';

export type GossipFlaws = ReadonlySet<GossipFlaw>;
