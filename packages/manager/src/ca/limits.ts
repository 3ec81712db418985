/** Timings and bounds of the certificate authority (wire.md 2.4, 2.8). */

/** Wait before signing again what could not be signed for now. */
export const SIGN_RETRY_MS = 10_000;
/** Certificates signed at once, and written together. */
export const SIGN_BATCH_MAX = 20;

/** Longest certificate request taken; dockerd's have some 400 bytes. */
export const REQUEST_BYTES_MAX = 16 * 1024;
/** Ids tried for a new node before giving up. */
export const ID_TRIES_MAX = 4;
/** Nodes' requests waited for at a time, over all callers. */
export const WAITING_MAX = 20_000;

/** Nodes asked to renew at once while roots rotate, and the wait before the next ones. */
export const ROTATE_BATCH_MAX = 30;
export const ROTATE_INTERVAL_MS = 3_000;
