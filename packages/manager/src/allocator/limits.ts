/** Ranges and bounds of the address plan (wire.md 4.2, 4.4). */

/** VXLAN network identifiers handed to overlay networks; users may ask for lower ones by number. */
export const VNI_MIN = 1;
export const VNI_FIRST = 4096;
export const VNI_LAST = 2 ** 24 - 1;

/** Ports given to services that publish without naming one. */
export const DYNAMIC_PORT_FIRST = 30_000;
export const DYNAMIC_PORT_LAST = 32_767;

/** Where subnets come from unless the cluster says otherwise, and how big they are. */
export const DEFAULT_POOL = '10.0.0.0/8';
export const DEFAULT_SUBNET_BITS = 24;

/** Routes of this length and shorter (10.0.0.0/8, 172.16.0.0/12) take whole private blocks somewhere. */
export const AGGREGATE_BITS_MAX = 12;

/** What could not be had is asked for again this often, besides whenever something is freed. */
export const RETRY_MS = 300_000;

/** What waits is asked again this long after a task found its node, which may leave room for others. */
export const PLACED_RETRY_MS = 200;

/** Objects written before the event loop gets a turn: a few log entries under way at once. */
export const ITEMS_PER_TURN_MAX = 800;
