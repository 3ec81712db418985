/** The network room's bounds. */

/** Batches waiting for the kernel; more are refused. */
export const KERNEL_CALLS_MAX = 16_384;

/** Docker's range for a host port nobody chose (Linux's ephemeral ports). */
export const EPHEMERAL_PORT_MIN = 32_768;
export const EPHEMERAL_PORT_MAX = 60_999;

/** Free ports tried before a request for any port is refused. */
export const EPHEMERAL_ATTEMPTS_MAX = 512;

/** Backends of one published port on one node; a chain exists for each count in use. */
export const BACKENDS_PER_PORT_MAX = 4_096;

/** Interfaces of one container: its swarm networks and the gateway bridge. */
export const INTERFACES_PER_SANDBOX_MAX = 64;

/** Host ports bound by one container (a range counts each port). */
export const BINDINGS_PER_SANDBOX_MAX = 65_535;

export const MTU_BYTES_DEFAULT = 1_500;
