/** Longest a replacement waits for the task before it to stop (features.md 3.2). */
export const OLD_TASK_TIMEOUT_MS = 60_000;

/**
 * Longest a task stays on a node that is being drained while none runs in its stead: enough to
 * fetch a large image there and become healthy.
 */
export const HAND_OVER_MS_MAX = 300_000;

/** Replacements that may fail before a task on a node that is being drained is stopped all the same. */
export const HAND_OVER_FAILURES_MAX = 3;

/** Wait before asking again whether nodes that a new leader has not heard of yet can take a task. */
export const UNHEARD_NODES_RECHECK_MS = 1_000;
