import type { Validity } from '@skep/ca';
import { Code, RpcError } from '@skep/platform';

/** What this node itself finds wrong with a swarm, its token or a clock: no manager's refusal. */
export class IdentityError extends RpcError {
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.name = 'IdentityError';
  }
}

/** Answers that another attempt cannot change, whichever manager gives it. */
const FINAL = new Set([
  Code.INVALID_ARGUMENT,
  Code.NOT_FOUND,
  Code.ALREADY_EXISTS,
  Code.PERMISSION_DENIED,
  Code.FAILED_PRECONDITION,
  Code.UNIMPLEMENTED,
  Code.UNAUTHENTICATED,
]);

/** Whether it is of no use to try again: a refusal, or no `RpcError` at all (a bug, an abort). */
export function isFinal(error: unknown): boolean {
  return !(error instanceof RpcError) || FINAL.has(error.code);
}

/**
 * Refuses to go on when the clock is outside of a certificate's validity: one of the two is
 * wrong.
 */
export function checkClock(what: string, validity: Validity, nowMs: number): void {
  const { notBeforeMs, notAfterMs } = validity;
  if (nowMs >= notBeforeMs && nowMs <= notAfterMs) return;
  const [from, to, now] = [notBeforeMs, notAfterMs, nowMs].map((ms) => new Date(ms).toISOString());
  throw new IdentityError(
    Code.FAILED_PRECONDITION,
    `${what} is valid from ${from} to ${to}, but the clock of this node says ${now}`,
  );
}

/** How OpenSSL and Node.js say that a peer's certificate is out of date. */
const OUT_OF_DATE =
  /certificate has expired|certificate is not yet valid|CERT_(HAS_EXPIRED|NOT_YET)/;

/**
 * A failed call to a manager, said in terms of clocks where its certificate is out of date by
 * ours.
 */
export function explainCallError(error: unknown, address: string, nowMs: number): unknown {
  if (!(error instanceof RpcError) || error.code !== Code.UNAVAILABLE) return error;
  if (!OUT_OF_DATE.test(error.message)) return error;
  const now = new Date(nowMs).toISOString();
  const what = `the certificate of the manager at ${address} is out of date`;
  const text = `${what}, if the clock of this node is right, which says ${now}: ${error.message}`;
  return new IdentityError(Code.FAILED_PRECONDITION, text, { cause: error });
}
