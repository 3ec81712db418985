import {
  certificateHash,
  createNodeRequest,
  generateJoinToken,
  type KeyProtection,
  NO_PROTECTION,
  newUnlockKey,
  RootCa,
} from '@skep/ca';
import { type Clock, invariant, newId, type Random } from '@skep/platform';
import type { AdoptedIdentity } from '../identity/index.js';
import type { Founding } from '../manager/manager.js';
import type { FoundRequest } from './requests.js';

/** A new swarm: its root of trust with its tokens, and the first manager's certificate. */
export function found(
  request: FoundRequest,
  { clock, random }: { clock: Clock; random: Random },
): { founding: Founding; identity: Required<AdoptedIdentity> } {
  const [nodeId, clusterId] = [newId(random), newId(random)];
  const root = RootCa.create({ clock, random });
  invariant(root.keyPem, 'a root just made can sign');
  const { keyPem, csrPem } = createNodeRequest(nodeId);
  const certificatePem = root.signNodeCertificate({ csrPem, nodeId, role: 'manager', clusterId });
  const isLocked = request.spec.encryptionConfig.autoLockManagers;
  const unlockKey = isLocked ? newUnlockKey(random) : undefined;
  // Version 0: whatever version the cluster object gets is newer, and has the same key.
  const protection: KeyProtection = unlockKey ? { unlockKey, version: 0n } : NO_PROTECTION;
  const founding = {
    clusterId,
    spec: request.spec,
    rootCa: {
      key: Buffer.from(root.keyPem),
      certificate: Buffer.from(root.certificatePem),
      certificateHash: certificateHash(root.certificatePem),
      joinTokens: {
        worker: generateJoinToken(root.certificatePem, random),
        manager: generateJoinToken(root.certificatePem, random),
      },
    },
    ...(unlockKey ? { unlockKey } : {}),
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
  const credentials = { certificatePem, keyPem };
  return { founding, identity: { credentials, rootPem: root.certificatePem, protection } };
}
