/** Time for the answer to one call, and for the first message of a session, ms (wire.md 3.1). */
export const CALL_TIMEOUT_MS = 5_000;
