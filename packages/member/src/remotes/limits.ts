/** What one good experience adds to a manager's weight, and a bad one takes (wire.md 3.1). */
export const OBSERVATION_WEIGHT = 10;

/** Part of a weight that the latest observation makes up. */
export const SMOOTHING = 0.5;

/** Weights stay between this and its negative. */
export const WEIGHT_MAX = 256;

/**
 * What every manager's weight is raised by, so that those of weight 0 or less are still chosen at
 * last.
 */
export const WEIGHT_BIAS = 0.001;

/**
 * Managers remembered; a swarm has a few, and more than this are taken for a mistake and cut off.
 */
export const MANAGERS_MAX = 1_000;
