/** Bounds of what nodes are told of their networks. */

/**
 * Updates under way to a node that it has not said to have in its kernel. A node that is slower than
 * changes come gets several of them as one.
 */
export const UPDATES_UNDER_WAY_MAX = 8;

/**
 * After an update to a node the next waits this long for company, unless it takes something away, or somebody
 * waits for it. Less than a container takes to start: where it is must be known when it first speaks.
 */
export const UPDATE_REST_MS = 50;

/**
 * A node that has had updates to apply for this long, and applied none, is named in the log and not
 * waited for any more.
 */
export const BEHIND_MS = 10_000;

/** Rows of one message; an update of more takes several, so that nobody holds a large one whole. */
export const ROWS_PER_MESSAGE = 1_000;

/** Changed rows kept for a node that does not take them; past it, it is told everything anew. */
export const CHANGED_ROWS_MAX = 20_000;

/** How long a task that is about to stop waits for nodes that do not answer. */
export const WITHDRAWAL_MS_MAX = 2_000;

/**
 * A task that still runs this long after it was withdrawn takes part again: whoever withdrew it
 * thought better of it, or is not there any more.
 */
export const WITHDRAWN_MS_MAX = 15 * 60_000;
