import { type NodeIdentity, verifyNodeCertificate } from '@skep/ca';

/** Verified certificates remembered at most. */
const CERTIFICATES_MAX = 10_000;

/** `verifyNodeCertificate` that does the arithmetic once for each certificate and roots. */
export class VerifiedCertificates {
  readonly #verified = new Map<string, NodeIdentity>();

  readonly verify = (chainPem: string, rootPem: string, nowMs: number): NodeIdentity => {
    const key = `${chainPem}\n${rootPem}`;
    const known = this.#verified.get(key);
    if (known && nowMs >= known.notBeforeMs && nowMs <= known.notAfterMs) return known;
    const identity = verifyNodeCertificate(chainPem, rootPem, nowMs);
    if (this.#verified.size >= CERTIFICATES_MAX) this.#verified.clear();
    this.#verified.set(key, identity);
    return identity;
  };
}
