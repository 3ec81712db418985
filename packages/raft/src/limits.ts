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

/** Entries before a snapshot that the log keeps (SwarmKit's LogEntriesForSlowFollowers). */
export const ENTRIES_KEPT_BEHIND = 500;

/**
 * Snapshots kept besides the newest, together with the log that follows them, so that a newest one
 * that cannot be read costs nothing.
 */
export const OLD_SNAPSHOTS_KEPT = 1;
