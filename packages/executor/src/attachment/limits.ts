/** Time a container waits for its address in a network of the swarm, as in Docker. */
export const ATTACH_TIMEOUT_MS = 20_000;

/** Pause before a manager that could not be reached is asked again. */
export const ATTACH_RETRY_MS = 250;

/** Time that addresses the same container gives back have to be given back, before it asks for new ones. */
export const DETACH_PATIENCE_MS = 5_000;
