import { type NodeIdentity, verifyNodeCertificate } from '@skep/ca';
import { errorMessage } from '@skep/platform';
import type { Peer } from './authorize/authorize.js';

/**
 * Who is at `address`, by the certificate it showed, if any, and the roots that must vouch for it.
 */
export function peerOf(
  address: string,
  certificatePem: string | undefined,
  rootPem: string,
  nowMs: number,
  verify: typeof verifyNodeCertificate = verifyNodeCertificate,
): Peer {
  if (certificatePem === undefined) return { address, identity: undefined };
  try {
    const { nodeId, role, clusterId }: NodeIdentity = verify(certificatePem, rootPem, nowMs);
    return { address, identity: { nodeId, role, clusterId } };
  } catch (error) {
    return { address, identity: undefined, refusal: errorMessage(error) };
  }
}
