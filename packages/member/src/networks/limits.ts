/** Bounds of following a manager's tables. */

/** Wait before a call that ended is made again: doubles from the first to the last. */
export const REOPEN_DELAY_FIRST_MS = 100;
export const REOPEN_DELAY_MAX_MS = 2_000;

/**
 * Rows of one update taken from a manager; past it something is wrong with it. 10,000 services with
 * three tasks each in ten networks come to 400,000.
 */
export const UPDATE_ROWS_MAX = 2_000_000;

/** Time for the answer to a withdrawal: what managers wait for nodes at most, and the way. */
export const WITHDRAW_TIMEOUT_MS = 2_500;
