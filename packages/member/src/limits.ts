/** Timings and bounds of a node's membership. */

/** Time a prospective manager has to answer the leader's health check (wire-raft.md 1.2). */
export const HEALTH_CHECK_TIMEOUT_MS = 5_000;

/** Time the leader has to take a manager in: 5 s and two of Docker's election timeouts (wire-raft.md 1.1). */
export const RAFT_JOIN_TIMEOUT_MS = 25_000;

/** Wait before a failed manager or agent is started again: doubles from the first to the last. */
export const RESTART_DELAY_FIRST_MS = 100;
export const RESTART_DELAY_MAX_MS = 5_000;

/** A manager removed from Raft waits this long for its new role before it asks for it (wire-raft.md 1.4). */
export const REMOVED_ROLE_WAIT_MS = 16_000;

/** Time another manager has to answer for a user's request that is not followed by a stream. */
export const FORWARDED_CALL_TIMEOUT_MS = 20_000;

/**
 * Time a request waits for a new leader after the last one was lost: elections take 1 to 2 s. A swarm that has
 * been without for longer refuses at once.
 */
export const LEADER_WAIT_MS = 4_000;

/**
 * The same where too few managers can be reached for anybody to be elected: no longer than managers take to find each
 * other.
 */
export const QUORUM_WAIT_MS = 1_000;

/**
 * How long one call carries messages: after it, who calls is checked anew, and a new certificate is used.
 */
export const LONG_CALL_LIFE_MS = 60_000;

/**
 * Messages to a peer under way that it has not said to have taken, and how many it takes for each time it says so: an
 * answer to each would cost as much as the message.
 */
export const LANE_WINDOW_MESSAGES = 16;
export const LANE_ANSWER_EVERY = 4;

/** Wait between two rounds of attempts to join a swarm whose managers cannot be reached. */
export const JOIN_RETRY_MS = 2_000;

/** Time a start of the daemon waits for its swarm: long enough for one that is well, short for one that is not. */
export const READY_WAIT_MS = 3_000;

/**
 * Time a write that was sent to a leader may still take to be answered once another leads, which a
 * former leader that lives learns within a heartbeat. Whoever writes through a follower to a leader
 * that vanished waits this long after the election.
 */
export const ANSWER_GRACE_MS = 1_000;

/** Wait before a manager is asked again that is said to lead and does not, or cannot be reached. */
export const RETRY_PAUSE_MS = 50;

/** Wait before the membership is taken up again after it could not be, as on a full disk. */
export const RESUME_RETRY_MS = 2_000;
