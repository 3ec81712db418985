/** Timings of role changes (wire-raft.md 1.4). */

/** Wait before a node whose role could not be settled is looked at again. */
export const ROLE_RETRY_MS = 5_000;
/** Longest wait for a member's removal to be agreed on. */
export const REMOVAL_MS_MAX = 5_000;
/** Longest wait for another manager to take over leadership. */
export const TRANSFER_MS_MAX = 25_000;
