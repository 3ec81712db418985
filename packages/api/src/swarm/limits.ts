/** Bounds of the swarm's part of the API. */

/** Longest wait for one call of a manager (features.md 5.3). */
export const MANAGER_CALL_MS_MAX = 20_000;

/** Wait before the change feed is opened again after it broke. */
export const WATCH_RETRY_MS = 1_000;

/** Longest mask of the subnets cut from address pools: /29 holds a gateway and five tasks. */
export const SUBNET_SIZE_MAX = 29;

/** UDP ports VXLAN may use. */
export const DATA_PATH_PORT_MIN = 1024;
export const DATA_PATH_PORT_MAX = 49_151;

/** The port managers listen on where none is given. */
export const SWARM_PORT = 2377;
