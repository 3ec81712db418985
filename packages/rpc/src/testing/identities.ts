import { createNodeRequest, type NodeRole, RootCa } from '@skep/ca';
import { RealClock, RealRandom } from '@skep/platform';
import type { IdentitySource, TlsIdentity } from '../contract.js';

export const CLUSTER_ID = 'cluster0000000000000000000';

/** A swarm's authority that gives out identities, for tests. */
export class TestAuthority {
  readonly root: RootCa;
  readonly clusterId: string;

  constructor(clusterId = CLUSTER_ID, clock = new RealClock()) {
    this.clusterId = clusterId;
    this.root = RootCa.create({ clock, random: new RealRandom() });
  }

  issue(nodeId: string, role: NodeRole, expiryMs?: number): TlsIdentity {
    const { keyPem, csrPem } = createNodeRequest();
    const certificatePem = this.root.signNodeCertificate({
      csrPem,
      nodeId,
      role,
      clusterId: this.clusterId,
      ...(expiryMs !== undefined && { expiryMs }),
    });
    return { rootPem: this.root.certificatePem, certificatePem, keyPem };
  }
}

/** An identity that a test may change. */
export class TestIdentity implements IdentitySource {
  #current: TlsIdentity | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(current?: TlsIdentity) {
    this.#current = current;
  }

  current(): TlsIdentity | undefined {
    return this.#current;
  }

  set(identity: TlsIdentity): void {
    this.#current = identity;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
