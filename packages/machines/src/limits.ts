/** Machines on one host; each has an address of the switch's /24, from `.100` on. */
export const FIRST_HOST_NUMBER = 100;
export const LAST_HOST_NUMBER = 249;
/** The host's own address on the switch, as docker-machine's VirtualBox network had it. */
export const HOST_NUMBER = 1;
/** Where the way out would be: it refuses everything at once. */
export const ROUTER_NUMBER = 254;

/** A host name's label. */
export const NAME_LENGTH_MAX = 63;

/** Time for the new namespaces to be there. */
export const NAMESPACES_TIMEOUT_MS = 10_000;
/** Time the engine of a new machine has until it answers; two cores may start many at once. */
export const ENGINE_READY_TIMEOUT_MS = 60_000;
/** Pause between two looks at something waited for. */
export const POLL_MS = 20;
/** An engine that takes longer to answer `ls` is shown as not answering. */
export const ENGINE_ANSWER_TIMEOUT_MS = 5_000;

/** Clean stop: for the engine to end, then for containers after their stop signal, then the rest. */
export const ENGINE_STOP_TIMEOUT_MS = 20_000;
export const CONTAINERS_STOP_TIMEOUT_MS = 10_000;
export const PROCESSES_STOP_TIMEOUT_MS = 10_000;
/** The kernel ends all at once; what takes longer hangs in it. */
export const KILL_TIMEOUT_MS = 20_000;

/** Waiting for another `skep machine` that works on the same thing. */
export const LOCK_TIMEOUT_MS = 120_000;

/** A machine's log is begun anew at a start when it is longer. */
export const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** Lines of the log shown when an engine does not start. */
export const LOG_TAIL_LINES = 15;

/** An answer of an engine, to `ls`. */
export const ENGINE_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
