/** How long a manager leads before it makes new network keys, and then again (wire-raft.md 6.3). */
export const KEY_ROTATION_MS = 12 * 60 * 60 * 1000;
