/** Limits of the containerd room. */

/** Time a unary call may take before it fails with DEADLINE_EXCEEDED. */
export const CALL_TIMEOUT_MS = 60_000;

/** Unpacking one layer: gigabytes on a slow disk. */
export const APPLY_TIMEOUT_MS = 60 * 60_000;

/** Deleting with `sync` waits for a whole garbage collection. */
export const DELETE_TIMEOUT_MS = 10 * 60_000;

/** The answer to "are you there", asked on every (re)connect. */
export const PROBE_TIMEOUT_MS = 2_000;

/** How long the event stream may take to show the marker that proves it is live. */
export const MARKER_TIMEOUT_MS = 2_000;

/** Wait between two attempts to reach containerd: doubles from the first to the last. */
export const RECONNECT_BACKOFF_MS = { first: 50, last: 1_000 };

/** Data in one message of a content upload. */
export const WRITE_CHUNK_BYTES = 1024 * 1024;

/** Wait between two starts of a dying containerd: doubles from the first to the last. */
export const RESTART_BACKOFF_MS = { first: 100, last: 10_000 };

/** A child that lived this long starts again without the backoff of its predecessors. */
export const STABLE_AFTER_MS = 30_000;

/** How long a freshly started containerd may take to answer. */
export const START_TIMEOUT_MS = 30_000;

/** Wait between two looks at a starting or a living containerd. */
export const START_POLL_MS = 20;
export const WATCH_POLL_MS = 500;

/**
 * Time containerd has to end by itself; now and then it waits for a stream that nobody holds any more. It is
 * made to be killed at any moment, so there is little to wait for.
 */
export const STOP_TIMEOUT_MS = 3_000;

/** containerd's log file is moved to `.1` at start when it is larger. */
export const LOG_BYTES_MAX = 8 * 1024 * 1024;
