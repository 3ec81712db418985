import {
  checkCertificateRequest,
  checkNodeCertificate,
  type ExternalAuthority,
  type NodeCertificateRequest,
  nodeCertificateFields,
} from '@skep/ca';
import { type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import type { NodeObject } from '@skep/wire';
import { certifiedRole } from './requests.js';
import type { SigningMaterial } from './signing-material.js';

/** How signing went: a chain (PEM), a refusal for good, or a failure that may pass. */
export type Signature =
  | { kind: 'signed'; chainPem: string }
  | { kind: 'refused'; reason: string }
  | { kind: 'deferred'; reason: string };

export interface SignOptions {
  clock: Clock;
  external: ExternalAuthority | undefined;
  /** Aborting gives up on an external authority. */
  signal: AbortSignal;
}

/** Signs what a node asked for: by the external authority where the cluster names one. */
export async function signFor(
  node: NodeObject,
  material: SigningMaterial,
  options: SignOptions,
): Promise<Signature> {
  const { certificate } = node;
  const request: NodeCertificateRequest = {
    csrPem: Buffer.from(certificate.csr).toString(),
    nodeId: certificate.cn,
    role: certifiedRole(certificate.role),
    clusterId: material.clusterId,
    ...(material.expiryMs === undefined ? {} : { expiryMs: material.expiryMs }),
  };
  try {
    const chainPem = material.external
      ? await signOutside(request, material, options)
      : material.root.signNodeCertificate(request);
    return { kind: 'signed', chainPem };
  } catch (error) {
    const reason = `failed to sign node certificate: ${errorMessage(error)}`;
    return { kind: mayPass(error) ? 'deferred' : 'refused', reason };
  }
}

async function signOutside(
  request: NodeCertificateRequest,
  { root, external: address, intermediatesPem }: SigningMaterial,
  { clock, external, signal }: SignOptions,
): Promise<string> {
  checkCertificateRequest(request.csrPem);
  if (!external || !address) {
    throw new RpcError(Code.UNAVAILABLE, 'this manager cannot reach external CAs');
  }
  const leafPem = await external.sign(address, nodeCertificateFields(request), signal);
  const chainPem = leafPem + intermediatesPem;
  checkNodeCertificate(chainPem, request, root.certificatePem, clock.now());
  return chainPem;
}

/** Nobody to sign, or nobody to be reached: not the node's fault, and not for ever. */
function mayPass(error: unknown): boolean {
  const passing = [Code.UNAVAILABLE, Code.FAILED_PRECONDITION];
  return error instanceof RpcError && passing.includes(error.code);
}
