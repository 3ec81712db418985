/** Bounds of the checks of the ways between nodes. */

/** From one round of questions to the next. */
export const PROBE_PERIOD_MS = 10_000;
/** The same while some way is in doubt. */
export const PROBE_DOUBT_PERIOD_MS = 2_000;
/** Nodes asked in one round; where there are more, each waits its turn. */
export const PROBES_PER_PERIOD_MAX = 64;
/** An answer that comes later than this is none. */
export const PROBE_TIMEOUT_MS = 1_500;
/** Answers missing in a row after which a way counts as broken. */
export const PROBES_LOST_MAX = 3;
/** Where nodes listen, within the network that is probed. */
export const PROBE_PORT = 7_948;
/** Most answers that this node gives in a second, whoever asks. */
export const PROBE_ANSWERS_PER_SECOND_MAX = 1_000;
