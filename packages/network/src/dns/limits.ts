/** The bounds of names in containers. */

/**
 * How long an answer may be kept. Nobody who asks twice within it is told of a task that went in
 * between, so it has to be short; 0 would make caches in front of busy clients useless.
 */
export const ANSWER_TTL_SECONDS = 1;

/** What a client takes by UDP that says nothing of it (RFC 1035, 4.2.1). */
export const UDP_ANSWER_BYTES_DEFAULT = 512;
/** More is not sent by UDP, whatever a client says it takes. */
export const UDP_ANSWER_BYTES_MAX = 4_096;
/** A length before a message by TCP has 16 bits. */
export const TCP_MESSAGE_BYTES_MAX = 65_535;

/** Servers outside that are asked for one name, as in Docker. */
export const SERVERS_PER_QUESTION_MAX = 3;
/** What a question to servers outside may take in all: the resolver of the C library waits 5 s. */
export const FORWARD_TIMEOUT_MS = 4_000;
/** Questions of one node that wait for servers outside, as in Docker (there of one container). */
export const FORWARDED_QUESTIONS_MAX = 1_024;
/** How often it is logged that questions are refused for want of a place. */
export const COMPLAINT_INTERVAL_MS = 30_000;

/** What the host says of its servers is read again after this time. */
export const HOST_SERVERS_FRESH_MS = 5_000;
/** More of the host's resolv.conf is not looked at. */
export const RESOLV_CONF_BYTES_MAX = 65_536;

/**
 * Ports that the sockets in a container are bound to, on an address that only names use. They lie
 * behind the ephemeral ports, where hardly a program listens: one that binds all addresses would
 * find its port taken.
 */
export const NAME_PORT_MIN = 65_053;
export const NAME_PORT_MAX = 65_116;

/** How often it is looked whether the rules that lead to the sockets are still there. */
export const COMPARE_PERIOD_MS = 30_000;

/** Connections of one container by TCP; more are closed at once. */
export const TCP_CONNECTIONS_MAX = 64;
/** A connection without a question is closed. */
export const TCP_IDLE_MS = 10_000;
/** Questions of one connection that are not answered yet; then nothing more is read from it. */
export const TCP_PENDING_MAX = 16;
