/** Tasks made for a service in one look: others get their turn before the next. */
export const TASKS_MADE_MAX = 2_000;

/**
 * Tasks of a service that are wanted and do not run yet. More are made as these come to run, so that
 * a number of replicas that no nodes can hold fills no manager's memory.
 */
export const TASKS_COMING_MAX = 10_000;

/** Wait before looking again whether a service that has as many may get more. */
export const TASKS_COMING_RECHECK_MS = 200;
