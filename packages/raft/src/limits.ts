/** Bytes a segment of the log takes on disk, reserved before the first write to it. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Largest payload of one normal entry, 1.5 MiB: SwarmKit's limit (wire-raft.md 4.2). */
export const ENTRY_PAYLOAD_BYTES_MAX = 1_572_864;

/** Payload bytes written and synced together at most, unless a single entry is larger. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Entries written and synced together at most. */
export const BATCH_ENTRIES_MAX = 1024;

/**
 * Room at the end of the last segment that ordinary entries must leave when no other segment could
 * be reserved, so that a full disk never stops a node from starting: a start writes about 300
 * bytes.
 */
export const RESERVE_BYTES = 64 * 1024;

/** Time between two tries to reserve a segment on a full disk. */
export const SPACE_RETRY_MS = 1_000;

/** The log has been quiet for this long when it notes down what was synced. */
export const SYNC_MARK_DELAY_MS = 1_000;

/** Entries proposed and not yet applied at most. */
export const PENDING_ENTRIES_MAX = 10_000;

/** Payload bytes proposed and not yet applied at most. */
export const PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** Payload bytes read from the log at a time when entries are applied at start. */
export const REPLAY_BYTES_MAX = 4 * 1024 * 1024;

/** Entries applied between two snapshots (SwarmKit's SnapshotInterval). */
export const SNAPSHOT_INTERVAL_ENTRIES = 10_000;

/** Payload bytes applied between two snapshots at most, so that a restart reads little. */
export const SNAPSHOT_INTERVAL_BYTES = 32 * 1024 * 1024;

/**
 * A snapshot of more than this, bytes, waits until as much was applied since: else the larger the
 * state, the more of each write's cost would be snapshots (Raft paper 7). With half as much they
 * took a fifth of a follower's time under steady writes.
 */
export const SNAPSHOT_CHEAP_BYTES = 2 * 1024 * 1024;

/** Entries before a snapshot that the log keeps (SwarmKit's LogEntriesForSlowFollowers). */
export const ENTRIES_KEPT_BEHIND = 500;

/**
 * Snapshots kept besides the newest, together with the log that follows them, so that a newest one
 * that cannot be read costs nothing.
 */
export const OLD_SNAPSHOTS_KEPT = 1;

/** Bytes of a StreamRaftMessageRequest at most: gRPC's own limit on receipt, 4 MiB. */
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;

/** Bytes of a snapshot's contents that are taken from a peer at most. */
export const SNAPSHOT_BYTES_MAX = 512 * 1024 * 1024;

/** Payload bytes of entries that waiting appends to one peer are merged up to. */
export const MERGED_BYTES_MAX = 1024 * 1024;

/** Messages waiting for one peer at most; more are dropped (SwarmKit's figure). */
export const PEER_QUEUE_MESSAGES_MAX = 4096;

/** A message must be answered within this time, and each part of a snapshot sent, ms. */
export const PEER_SEND_TIMEOUT_MS = 2_000;

/** A peer must answer a health check within this time, ms. */
export const PEER_HEALTH_TIMEOUT_MS = 2_000;

/** A peer that did not answer is asked for its health again after this time, ms. */
export const PEER_PROBE_MS = 1_000;

/**
 * How long an address that a peer told of a member not heard of yet counts, and when it is asked
 * for again, ms.
 */
export const ADDRESS_KNOWN_MS = 10_000;
export const ADDRESS_ASKED_MS = 2_000;

/** Members not heard of yet whose addresses are kept at most. */
export const STRANGERS_MAX = 64;

/** How long what waits for a removed peer may still be sent, ms (SwarmKit's figure). */
export const PEER_DRAIN_MS = 16_000;

/**
 * Length of a tick, ms, and the ticks of heartbeats and elections (SwarmKit's, with ticks of 1 s).
 */
export const TICK_MS = 100;
export const HEARTBEAT_TICKS = 1;
export const ELECTION_TICKS = 10;

/**
 * Encoded bytes of entries in one append (SwarmKit's MaxSizePerMsg), and appends under way to one
 * follower: SwarmKit's 256 let many small ones go where few larger ones cost a tenth less, measured
 * with 256 writers; a few keep distant followers busy.
 */
export const APPEND_BYTES_MAX = 65_535;
export const APPENDS_IN_FLIGHT_MAX = 4;

/** How often a leader looks whether those that are to stay have answered it, ms. */
export const ANSWER_POLL_MS = 20;

/** A change of membership must be applied within this time, ms. */
export const CHANGE_TIMEOUT_MS = 10_000;

/** A read must be confirmed within this time, ms, and is asked for anew after each part of it. */
export const READ_TIMEOUT_MS = 5_000;
export const READ_RETRY_MS = 500;

/** Reads waiting for a confirmation at most. */
export const READS_WAITING_MAX = 10_000;

/**
 * Another manager must have taken over within this time, ms; within the second when this one stops.
 */
export const TRANSFER_TIMEOUT_MS = 25_000;
export const TRANSFER_AT_STOP_MS = 2_000;
