import { create } from '@bufbuild/protobuf';
import {
  CertificateFiles,
  createNodeRequest,
  generateJoinToken,
  RootCa,
  tlsInfoOf,
} from '@skep/ca';
import { type Clock, type Disk, invariant, type Random } from '@skep/platform';
import { type NodeTLSInfo, NodeTLSInfoSchema } from '@skep/wire/swarmkit';
import type { SwarmState } from './state-file.js';

export interface FoundingOptions {
  disk: Disk;
  clock: Clock;
  random: Random;
  /** The swarm's directory. */
  directory: string;
  state: SwarmState;
}

/** A new swarm's root of trust with its tokens, and the founder's certificate, written to its files. */
export async function foundIdentity(options: FoundingOptions) {
  const { disk, clock, random, directory, state } = options;
  const root = RootCa.create({ clock, random });
  const { keyPem, csrPem } = createNodeRequest(state.nodeId);
  const certificatePem = root.signNodeCertificate({
    csrPem,
    nodeId: state.nodeId,
    role: 'manager',
    clusterId: state.clusterId,
  });
  const files = new CertificateFiles(disk, directory);
  await files.saveRoot(root.certificatePem);
  await files.saveNode({ certificatePem, keyPem });
  invariant(root.keyPem, 'a root just made can sign');
  return {
    certificate: Buffer.from(certificatePem),
    rootCa: {
      key: Buffer.from(root.keyPem),
      certificate: Buffer.from(root.certificatePem),
      certificateHash: root.digest,
      joinTokens: {
        worker: generateJoinToken(root.certificatePem, random),
        manager: generateJoinToken(root.certificatePem, random),
      },
    },
  };
}

/** What the node reports of its certificates; undefined while it has none. */
export async function loadTlsInfo(disk: Disk, directory: string): Promise<NodeTLSInfo | undefined> {
  const files = new CertificateFiles(disk, directory);
  const [root, node] = [await files.loadRoot(), await files.loadNode()];
  if (root === undefined || node === undefined || node === 'locked') return undefined;
  return create(NodeTLSInfoSchema, tlsInfoOf(node.certificatePem, root));
}
