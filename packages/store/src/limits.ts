/** Bounds of the store (wire-raft.md 4.2). */

/** Largest encoded entry. Every SwarmKit manager refuses a bigger one. */
export const ENTRY_BYTES_MAX = 1_572_864;

/** Changes after which a batch commits and goes on in a new transaction. */
export const BATCH_CHANGES_MAX = 200;

/** Objects encoded at a time for a snapshot: about a millisecond's work. */
export const SNAPSHOT_PART_OBJECTS = 100;
