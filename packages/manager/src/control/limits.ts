/** Bounds of what users may write (features.md 2.5, 3.8). */

export const SERVICE_NAME_LENGTH_MAX = 63;
export const PAYLOAD_NAME_LENGTH_MAX = 64;

/** A secret's data is shorter than this; a config's likewise. */
export const SECRET_BYTES_LIMIT = 500 * 1024;
export const CONFIG_BYTES_LIMIT = 1000 * 1024;

export const CPU_NANOS_MIN = 1_000_000;
export const MEMORY_BYTES_MIN = 4 * 1024 * 1024;

/** Shortest nonzero time in a health check. */
export const HEALTH_TIME_MS_MIN = 1;

export const NODE_CERT_EXPIRY_MS_MIN = 60 * 60 * 1000;

/** A root that users bring is valid for at least this long from now: 365 days. */
export const ROOT_EXPIRY_MS_MIN = 365 * 24 * 60 * 60 * 1000;

/** Addresses of external authorities that a cluster's spec may hold. */
export const EXTERNAL_CAS_MAX = 32;

/** How long a removed node stays on the list of refused certificates after its own has expired. */
export const REMOVED_NODE_GRACE_MS = 7 * 24 * 60 * 60 * 1000;

/** Of the way between nodes: the least leaves 68 bytes for IPv4 in a network that is encrypted. */
export const MTU_BYTES_MIN = 144;
export const MTU_BYTES_MAX = 65_535;

/** Longest prefix of an overlay network's IPv4 subnet: 8 addresses, as in `docker swarm init`. */
export const SUBNET_BITS_MAX = 29;

export const PORT_MAX = 65_535;

/** Where all nodes of a swarm gossip, by TCP and UDP; it cannot be chosen. */
export const GOSSIP_PORT = 7_946;
