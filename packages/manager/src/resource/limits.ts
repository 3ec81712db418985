/**
 * Time an attachment waits for its address before its node is answered without it: Docker's engines give
 * the whole call and the way of the address to them 20 s.
 */
export const ATTACHMENT_WAIT_MS = 5_000;
