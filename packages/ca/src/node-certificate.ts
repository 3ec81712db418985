import { Code, errorMessage, type Random, RpcError, randomBelow } from '@skep/platform';
import { RENEWAL_FROM, RENEWAL_TO } from './limits.js';
import { type NodeRole, roleOfUnit } from './role.js';
import { keyToPem, newKey } from './root-ca.js';
import { encodeName } from './x509/name.js';
import { type ParsedCertificate, parseCertificates } from './x509/parse.js';
import { createRequest } from './x509/request.js';
import { Signer } from './x509/signer.js';

/** What a node's certificate says. */
export interface NodeIdentity {
  nodeId: string;
  role: NodeRole;
  clusterId: string;
  notBeforeMs: number;
  notAfterMs: number;
}

/** What a node reports of its certificates (`NodeTLSInfo`). */
export interface TlsInfo {
  /** PEM of the roots it trusts. */
  trustRoot: Uint8Array;
  /** DER of the name of who signed its certificate. */
  certIssuerSubject: Uint8Array;
  /** DER of the public key of who signed its certificate. */
  certIssuerPublicKey: Uint8Array;
}

/** A new private key and the request for a certificate, both PEM. */
export function createNodeRequest(commonName = ''): { keyPem: string; csrPem: string } {
  const key = newKey();
  return {
    keyPem: keyToPem(key),
    csrPem: createRequest(new Signer(key), encodeName({ commonName })),
  };
}

/**
 * Who a certificate (with its intermediates) is for, once it is sure that one of the roots vouches
 * for it. Throws UNAUTHENTICATED when none does, it is out of date, or it is not a node's
 * certificate.
 */
export function verifyNodeCertificate(
  chainPem: string,
  rootPem: string,
  nowMs: number,
): NodeIdentity {
  try {
    const leaf = verifiedLeaf(parseCertificates(chainPem), parseCertificates(rootPem), nowMs);
    return identityOf(leaf);
  } catch (error) {
    const text = `invalid node certificate: ${errorMessage(error)}`;
    throw new RpcError(Code.UNAUTHENTICATED, text, { cause: error });
  }
}

/** What a certificate says, without asking who signed it. Throws when it is not a node's. */
export function parseNodeCertificate(chainPem: string): NodeIdentity {
  return identityOf(parseCertificates(chainPem)[0]!);
}

/**
 * What a node with this certificate, trusting these roots, reports. Throws when none of them signed
 * it.
 */
export function tlsInfoOf(chainPem: string, rootPem: string): TlsInfo {
  const [leaf, ...intermediates] = parseCertificates(chainPem);
  const signers = [...intermediates, ...parseCertificates(rootPem)];
  const issuer = signers.find((signer) => isSignedBy(leaf!, signer));
  if (!issuer) throw new Error('the issuer of the certificate is not known');
  return {
    trustRoot: Buffer.from(rootPem),
    certIssuerSubject: issuer.subjectDer,
    certIssuerPublicKey: issuer.publicKeyDer,
  };
}

/**
 * How long to wait before renewing a certificate, ms: up to a random minute between 50 % and 80 %
 * of its validity; 0 once that is past.
 */
export function renewalDelayMs(
  validity: { notBeforeMs: number; notAfterMs: number },
  nowMs: number,
  random: Random,
): number {
  const lengthMs = validity.notAfterMs - validity.notBeforeMs;
  const firstMinute = Math.floor((lengthMs * RENEWAL_FROM) / 60_000);
  const lastMinute = Math.floor((lengthMs * RENEWAL_TO) / 60_000);
  const minute = firstMinute + randomBelow(random, lastMinute - firstMinute + 1);
  return Math.max(0, validity.notBeforeMs + minute * 60_000 - nowMs);
}

function verifiedLeaf(
  chain: readonly ParsedCertificate[],
  roots: readonly ParsedCertificate[],
  nowMs: number,
): ParsedCertificate {
  const [leaf] = chain;
  let certificate = leaf!;
  for (const next of [...chain.slice(1), undefined]) {
    if (nowMs < certificate.notBeforeMs) throw new Error('not yet valid');
    if (nowMs > certificate.notAfterMs) throw new Error('expired');
    const root = roots.find((candidate) => isSignedBy(certificate, candidate));
    if (root) {
      if (nowMs > root.notAfterMs) throw new Error('the root certificate has expired');
      return leaf!;
    }
    if (!next || !isSignedBy(certificate, next)) break;
    certificate = next;
  }
  throw new Error('certificate signed by unknown authority');
}

function isSignedBy(certificate: ParsedCertificate, signer: ParsedCertificate): boolean {
  if (Buffer.compare(certificate.issuerDer, signer.subjectDer) !== 0) return false;
  return signer.x509.ca && certificate.x509.verify(signer.x509.publicKey);
}

function identityOf(leaf: ParsedCertificate): NodeIdentity {
  const { commonName, organizationalUnit, organization } = leaf.subject;
  const role = roleOfUnit(organizationalUnit);
  if (!commonName || !organization || !role) throw new Error('not the certificate of a node');
  const { notBeforeMs, notAfterMs } = leaf;
  return { nodeId: commonName, role, clusterId: organization, notBeforeMs, notAfterMs };
}
