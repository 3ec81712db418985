/** Bounds of the API. */

/** Largest JSON body. A service spec with its configs' references stays far below. */
export const JSON_BODY_BYTES_MAX = 8 * 1024 * 1024;

/** Read and thrown away of a body that is too large, so that its sender sees the answer. */
export const DISCARDED_BYTES_MAX = 64 * 1024 * 1024;

/** Events and progress messages waiting for a slow client; past it the client is cut off. */
export const STREAM_ITEMS_MAX = 10_000;

/** Events kept for `docker events --since`. */
export const EVENT_HISTORY_MAX = 256;

/** Oldest and newest API version served. */
export const API_VERSION_MIN = '1.24';
export const API_VERSION_MAX = '1.51';
