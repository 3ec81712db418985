import { createNodeRequest, generateJoinToken, RootCa } from '@skep/ca';
import { type Clock, invariant, newId, type Random } from '@skep/platform';
import type { AdoptedIdentity } from '../identity/index.js';
import type { Founding } from '../manager/manager.js';
import type { FoundRequest } from './requests.js';

/** A new swarm: its root of trust with its tokens, and the first manager's certificate. */
export function found(
  request: FoundRequest,
  { clock, random }: { clock: Clock; random: Random },
): { founding: Founding; identity: Required<Pick<AdoptedIdentity, 'credentials' | 'rootPem'>> } {
  const [nodeId, clusterId] = [newId(random), newId(random)];
  const root = RootCa.create({ clock, random });
  invariant(root.keyPem, 'a root just made can sign');
  const { keyPem, csrPem } = createNodeRequest(nodeId);
  const certificatePem = root.signNodeCertificate({ csrPem, nodeId, role: 'manager', clusterId });
  const founding = {
    clusterId,
    spec: request.spec,
    rootCa: {
      key: Buffer.from(root.keyPem),
      certificate: Buffer.from(root.certificatePem),
      certificateHash: root.digest,
      joinTokens: {
        worker: generateJoinToken(root.certificatePem, random),
        manager: generateJoinToken(root.certificatePem, random),
      },
    },
    defaultAddressPool: request.defaultAddressPool,
    subnetSize: request.subnetSize,
    dataPathPort: request.dataPathPort,
    node: {
      id: nodeId,
      address: request.advertiseAddress,
      availability: request.availability,
      certificate: Buffer.from(certificatePem),
    },
  };
  return {
    founding,
    identity: { credentials: { certificatePem, keyPem }, rootPem: root.certificatePem },
  };
}
