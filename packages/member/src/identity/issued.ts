import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  type NodeCredentials,
  type NodeIdentity,
  parseNodeCertificate,
  verifyNodeCertificate,
} from '@skep/ca';
import { Code } from '@skep/platform';
import { checkClock, IdentityError } from './errors.js';

/** Cluster ids of swarms whose nodes must all be restricted to FIPS algorithms begin with this. */
const FIPS_PREFIX = 'FIPS.';

/** Docker's words. */
export function refuseFips(): never {
  const text = 'node is not FIPS-enabled but cluster requires FIPS';
  throw new IdentityError(Code.FAILED_PRECONDITION, text);
}

/**
 * Whom a certificate that came from outside is for, once it is sure that it can be used: in date,
 * vouched for by a root, made for this key and this node. Throws UNAUTHENTICATED when no root
 * vouches for it.
 */
export function verifyIssued(
  { certificatePem, keyPem }: NodeCredentials,
  nodeId: string,
  rootPem: string,
  nowMs: number,
): NodeIdentity {
  checkClock('the certificate of this node', parseNodeCertificate(certificatePem), nowMs);
  const identity = verifyNodeCertificate(certificatePem, rootPem, nowMs);
  const isOurs =
    identity.nodeId === nodeId &&
    new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
  if (!isOurs) {
    throw new IdentityError(Code.FAILED_PRECONDITION, 'the certificate is for another node or key');
  }
  if (identity.clusterId.startsWith(FIPS_PREFIX)) refuseFips();
  return identity;
}
