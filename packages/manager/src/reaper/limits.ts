/**
 * Tasks of a slot kept while nobody knows whether they have stopped, since their node is down. A
 * node that is heard of again stops what the swarm no longer has. Where the task history is longer,
 * so are these.
 */
export const UNHEARD_TASKS_MAX = 5;
