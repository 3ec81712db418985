/** Reads that wait for a leader's confirmation, or for an entry of its term to be committed. */
export const PENDING_READS_MAX = 4096;

/**
 * Answers gathered between two calls of `takeEffects`; more are dropped, as if lost on the way.
 * What a leader sends is bounded by its flow control.
 */
export const OUTBOX_ANSWERS_MAX = 16_384;

/** Payload bytes handed out for applying at a time, unless a single entry is larger. */
export const APPLY_BYTES_MAX = 16 * 1024 * 1024;

/** Entries handed out for applying at a time. */
export const APPLY_ENTRIES_MAX = 4096;

/**
 * Bytes an encoded entry takes at most besides its data: type, term, index and length with their
 * tags.
 */
export const ENTRY_OVERHEAD_BYTES_MAX = 2 + 11 + 11 + 6;

/** A follower told that the connection to its leader broke looks after 1 to this many ticks. */
export const HINT_TICKS_MAX = 3;
