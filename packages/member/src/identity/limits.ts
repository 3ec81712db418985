/**
 * How a node asks for certificates; the figures are SwarmKit's (wire.md 2.3, 2.7) unless a
 * comment says more.
 */

/** Time for the answer to one call, ms. */
export const CALL_TIMEOUT_MS = 5_000;

/** Attempts at each of the steps: root certificates, request, unlock key. */
export const ATTEMPTS_MAX = 5;

/** Wait between two attempts of a joining node, and of one that asks for the unlock key, ms. */
export const ATTEMPT_DELAY_MS = 2_000;

/**
 * Waits between two looks at a request that is not decided, ms: uniform in [0, base + factor *
 * 2^n).
 */
export const STATUS_BACKOFF = { baseMs: 1_000, factorMs: 1_000, maxMs: 30_000 };

/**
 * How long a node waits for a request to be decided, ms. Ours: SwarmKit waits without end. A
 * manager whose external authority is out of reach keeps requests waiting, so this is generous.
 */
export const DECISION_TIMEOUT_MS = 600_000;

/** Waits after a renewal that failed, ms: uniform in [0, base + factor * 2^n). */
export const RENEWAL_BACKOFF = { baseMs: 5_000, factorMs: 5_000, maxMs: 3_600_000 };

/** Wait before a renewal that was asked for, ms: managers get to settle the role meanwhile. */
export const FORCED_RENEWAL_DELAY_MS = 500;

/**
 * How often the clock is looked at while a renewal is far off, ms. Ours: clocks jump, and
 * machines sleep.
 */
export const CLOCK_CHECK_MS = 300_000;
