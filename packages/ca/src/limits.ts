const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** How long a root certificate is valid: 20 years of 365 days. */
export const ROOT_EXPIRY_MS = 630_720_000_000;

/**
 * How far a root certificate's start lies back: as far as node certificates', or a rotation would shut
 * out nodes whose clocks are behind and that could take part until then. (SwarmKit: 5 minutes.)
 */
export const ROOT_BACKDATE_MS = HOUR_MS;

/** How long a node certificate is valid unless the cluster says otherwise: 90 days. */
export const NODE_EXPIRY_DEFAULT_MS = 2160 * HOUR_MS;

/** The shortest validity a cluster may ask for; less is taken as the default, as SwarmKit does. */
export const NODE_EXPIRY_MIN_MS = HOUR_MS;

/** How far a node certificate's start lies back, and how much longer it is valid. */
export const NODE_BACKDATE_MS = HOUR_MS;

/** Start times of node certificates are rounded to this. */
export const NODE_START_ROUND_MS = MINUTE_MS;

/** The part of a certificate's validity in which it is renewed. */
export const RENEWAL_FROM = 0.5;
export const RENEWAL_TO = 0.8;

/** How long an external authority may take to answer. */
export const EXTERNAL_TIMEOUT_MS = 5_000;

/** Longest answer of an external authority that is read. */
export const EXTERNAL_RESPONSE_BYTES_MAX = 256 * 1024;
