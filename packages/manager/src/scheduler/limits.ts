/** Bounds of the scheduler (features.md 3.4). */

/** A node where tasks of a service failed this often lately is taken only when others are worse. */
export const FAILURES_MANY = 5;
/** How long a failure is remembered. */
export const FAILURE_MEMORY_MS = 300_000;
/** Failures remembered for one service on one node, and services remembered on one node. */
export const FAILURES_KEPT_MAX = 20;
export const FAILING_SERVICES_MAX = 200;

/** Tasks decided on before the event loop gets a turn: a few log entries under way at once. */
export const TASKS_PER_TURN_MAX = 800;

/** What a refusal names one by one beside the reasons with their counts, most frequent first. */
export const REFUSAL_DETAILS_MAX = 8;

/** Nodes looked at for each of a few tasks, the least loaded first, before all are compared. */
export const LOOKS_PER_TASK = 16;
