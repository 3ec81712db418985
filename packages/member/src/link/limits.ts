/** Time for the answer to one call, and for the first message of a session, ms (wire.md 3.1). */
export const CALL_TIMEOUT_MS = 5_000;

/**
 * Time a manager's machine has to take a connection, ms, before another manager is tried: a machine
 * that is dead says nothing for seconds, and a new leader does not wait for long (manager/dispatcher).
 * It doubles with each attempt in vain, so that managers that are slow are reached as well.
 */
export const CONNECTION_PATIENCE_MS = 1_500;
export const CONNECTION_PATIENCE_MAX_MS = 6_000;

/** Time for a manager to find an address for a container: it answers when it has, within 5 s. */
export const ATTACH_CALL_TIMEOUT_MS = 15_000;
