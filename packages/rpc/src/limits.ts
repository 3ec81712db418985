const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const MEBIBYTE = 1024 * 1024;

/** Largest message a server takes, bytes: SwarmKit's (wire.md 1.1). */
export const SERVER_MESSAGE_BYTES_MAX = 4 * MEBIBYTE;

/**
 * Largest message a client takes, bytes: a node's whole set of assignments may pass the server's
 * limit.
 */
export const CLIENT_MESSAGE_BYTES_MAX = 2 ** 31 - 1;

/** How long TCP and TLS to a peer may take together, ms. */
export const CONNECT_TIMEOUT_MS = 5 * SECOND_MS;

/**
 * Pause after a failed connection: the first, how it grows, the longest, and its random part.
 * Short, as a manager that was started again is to be reached at once, and calls alone cause
 * connections: whoever makes many paces them (agents have a backoff of their own).
 */
export const BACKOFF_MIN_MS = 100;
export const BACKOFF_FACTOR = 1.6;
export const BACKOFF_MAX_MS = 500;
export const BACKOFF_JITTER = 0.2;

/** How long a peer may take to answer the PING that follows a call without an answer, ms. */
export const PROBE_TIMEOUT_MS = 5 * SECOND_MS;

/**
 * Without anything received in between, PINGs closer than this offend a Go server (wire-raft.md
 * 2.3).
 */
export const PROBE_INTERVAL_MS = 5 * MINUTE_MS;

/** How long a caller may take over its TLS handshake, ms. */
export const HANDSHAKE_TIMEOUT_MS = 10 * SECOND_MS;

/** Connections a listener holds at once; more are refused. */
export const CONNECTIONS_MAX = 10_000;

/** Of these, by callers without a certificate: whoever can reach the port. */
export const ANONYMOUS_CONNECTIONS_MAX = 1_000;

/** How long such a connection may stand idle, ms. */
export const ANONYMOUS_IDLE_MS = MINUTE_MS;

/** Calls under way at once on a connection: a manager forwards those of all its nodes over one. */
export const STREAMS_MAX = 16_384;
export const ANONYMOUS_STREAMS_MAX = 16;

/** Bytes under way that a side lets the other send before reading: a call's, a connection's. */
export const STREAM_WINDOW_BYTES = MEBIBYTE;
export const CONNECTION_WINDOW_BYTES = 4 * MEBIBYTE;

/** Memory that Node may hold for a connection, MB (its own unit); new calls are refused past it. */
export const SESSION_MEMORY_MB = 64;

/**
 * How long a call waits for a leader to be elected, ms; without one for longer, calls fail at once.
 */
export const LEADER_WAIT_MS = 5 * SECOND_MS;

/** Pause before a call that did not reach the leader is tried again, ms. */
export const FORWARD_RETRY_MS = 200;
