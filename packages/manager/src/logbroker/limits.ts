/** Bounds of the log broker. */

/** Subscriptions open at once. */
export const SUBSCRIPTIONS_MAX = 1_000;
/** Messages of a subscription not yet read; whoever publishes more waits for its reader. */
export const MESSAGES_WAITING_MAX = 256;
/** Subscriptions opened and closed that a node has not heard of; one that is slower must reconnect. */
export const NOTICES_WAITING_MAX = 4 * SUBSCRIPTIONS_MAX;
/** Reasons told when logs are incomplete; the rest is counted. */
export const REASONS_MAX = 50;
