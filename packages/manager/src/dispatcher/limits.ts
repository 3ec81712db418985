/** Timings and bounds of sessions (wire.md 3.1, features.md 3.5). */

/** Docker's heartbeat period, which a cluster's spec holds unless somebody set another. */
export const HEARTBEAT_DEFAULT_MS = 5_000;
/** The period used instead of the default: short while nodes are few, growing by this for each. */
export const HEARTBEAT_MIN_MS = 1_000;
export const HEARTBEAT_PER_NODE_MS = 20;
/** A period handed out varies by this share either way, so that nodes do not beat in step. */
export const HEARTBEAT_JITTER = 0.1;

/** A node is down after this many periods of silence. */
export const GRACE_PERIODS = 3;
/**
 * Docker's agents have Docker's period, and as many of them after a change of leader as SwarmKit
 * gives: they wait up to 8 s from one attempt to the next, and 5 s for a manager that is dead.
 */
export const GRACE_PERIODS_UNKNOWN_DOCKER = 6;
/**
 * After a change of leader every node has to be heard of anew, and none has given a sign that it is
 * gone: a worker that finds its first managers dead, on a busy host, still comes back well within
 * this. (SwarmKit: 6 periods of 5 s.)
 */
export const GRACE_PERIODS_UNKNOWN = 10;
/**
 * The node of a manager that does not answer the new leader is most likely the one that died with
 * the lead: its tasks move after an election and this. A manager that does answer gets the rest of
 * what the others have.
 */
export const GRACE_PERIODS_UNREACHABLE = 4;
/** A node that has never been heard of is still busy joining. */
export const GRACE_NEW_MS = 12_000;
/** A node whose stream broke has this long to come back, where the period is ours to choose. */
export const BROKEN_STREAM_GRACE_MS = 3_000;

/** A deadline noticed later than this after it passed says that this process stood still. */
export const LATE_MS_MAX = 500;
/** Nodes then get as long as it stood still and this, up to the most below: they were waiting for it, too. */
export const LATE_EXTRA_MS = 1_000;
export const LATE_GRACE_MS_MAX = 12_000;

/** Longest wait, at a stop, for the log to take note that nodes were sent away. */
export const FAREWELL_MS_MAX = 2_000;

/** Tasks of a node that has been down this long are given up. */
export const ORPHAN_AFTER_MS = 24 * 3_600_000;

/** New sessions a node may open while each comes within the period after the one before. */
export const REGISTRATIONS_MAX = 3;
export const REGISTRATION_PERIOD_MS = 8_000;

/** Tasks that change in one assignments message; a node that has more gets several. */
export const ASSIGNMENT_TASKS_MAX = 100;

/** Reports waiting to be written; whoever reports more waits. */
export const STATUS_QUEUE_MAX = 10_000;
/** Reports written before the event loop gets a turn. */
export const STATUSES_PER_TURN_MAX = 800;

/** Weight of each manager in the list nodes choose from. */
export const MANAGER_WEIGHT = 10n;
