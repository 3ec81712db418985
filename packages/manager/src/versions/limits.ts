/** Bounds of versions of secrets and configs. */

/**
 * Versions of one secret or config that services and tasks may need at a time. A service needs two,
 * what it runs and what it would return to; the rest is what its tasks have not left yet.
 */
export const VERSIONS_MAX = 32;

/** Former ids that a version is still known by: the first one, and the latest. */
export const FORMER_IDS_MAX = 64;

/**
 * After a service was given a new version, tasks are replaced this much later, unless its user
 * updates it first: a deployment brings several secrets and configs, and services only after them.
 */
export const ROLL_SETTLE_MS = 1_000;
