/** Bounds of what is told of images. */

/**
 * Every node of ours serves its images there, by TCP; it cannot be chosen. By UDP the number is
 * WireGuard's.
 */
export const SHELF_PORT = 7_947;

/** Nodes named to one that looks for an image: it asks a few at a time, and one is enough. */
export const HOLDERS_MAX = 16;

/** Keys of an image that was fetched with credentials; nodes keep fewer. */
export const KEYS_MAX = 64;

/** Keys that were no task's of which one node may ask, until they are forgotten. */
export const WRONG_KEYS_MAX = 1_024;
export const WRONG_KEYS_KEPT_MS = 60 * 60 * 1000;
