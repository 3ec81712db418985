import { create } from '@bufbuild/protobuf';
import {
  certificateHash,
  createNodeRequest,
  type ExternalAuthority,
  generateJoinToken,
  type NodeIdentity,
  RootCa,
  tlsInfoOf,
  verifyNodeCertificate,
} from '@skep/ca';
import type { NodeObject } from '@skep/wire';
import {
  type Certificate,
  IssuanceStatus_State,
  IssueNodeCertificateRequestSchema,
  NodeCertificateStatusRequestSchema,
  NodeTLSInfoSchema,
} from '@skep/wire/swarmkit';
import { rootUnder } from '../control/cluster/root-change.js';
import { clusterOf, nodeOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { CertificateAuthority } from './certificate-authority.js';
import { certifiedRole } from './requests.js';

/** A certificate authority at work over a store in memory, for tests. */
export class SimAuthority {
  readonly room: SimRoom;
  readonly authority: CertificateAuthority;
  readonly root: RootCa;
  readonly tokens: { worker: string; manager: string };

  private constructor(room: SimRoom, external: ExternalAuthority | undefined) {
    this.room = room;
    this.authority = new CertificateAuthority({ ...room.options, external });
    this.root = RootCa.create(room);
    this.tokens = {
      worker: generateJoinToken(this.root.certificatePem, room.random),
      manager: generateJoinToken(this.root.certificatePem, room.random),
    };
  }

  static async start(
    external?: ExternalAuthority,
    room: SimRoom = new SimRoom(),
  ): Promise<SimAuthority> {
    const sim = new SimAuthority(room, external);
    const { certificatePem, keyPem = '' } = sim.root;
    const cluster = clusterOf({
      rootCa: {
        caCert: Buffer.from(certificatePem),
        caKey: Buffer.from(keyPem),
        caCertHash: certificateHash(certificatePem),
        joinTokens: sim.tokens,
      },
      VXLANUDPPort: 4789,
    });
    const written = sim.room.put('cluster', cluster);
    room.proposer.commit();
    await written;
    sim.authority.start();
    return sim;
  }

  /** Begins a rotation to a root of the swarm's own making, in place of any under way. */
  async rotate(): Promise<void> {
    const { clock, random, store } = this.room;
    const { spec } = this.cluster;
    const config = { ...spec.caConfig, forceRotate: spec.caConfig.forceRotate + 1n };
    const rootCa = await rootUnder(config, this.cluster, {
      clock,
      random,
      external: undefined,
      log: undefined,
    });
    await store.update((tx) => {
      const stored = tx.get('cluster', 'cluster')!;
      tx.update('cluster', { ...stored, rootCa, spec: { ...stored.spec, caConfig: config } });
    });
  }

  get cluster() {
    return this.room.get('cluster', 'cluster');
  }

  /** The roots nodes are given now, PEM. */
  get rootPem(): string {
    return Buffer.from(this.cluster.rootCa.caCert).toString();
  }

  /** Asks for a certificate as a node that has none. */
  request(token: string, csr: Uint8Array = newCsr()) {
    const request = create(IssueNodeCertificateRequestSchema, { csr, token });
    return this.authority.issueNodeCertificate(undefined, request);
  }

  status(nodeId: string, signal?: AbortSignal) {
    const request = create(NodeCertificateStatusRequestSchema, { nodeId });
    return this.authority.nodeCertificateStatus(request, signal ?? new AbortController().signal);
  }

  certificateOf(nodeId: string): Certificate {
    return this.room.get('node', nodeId).certificate;
  }

  stateOf(nodeId: string): IssuanceStatus_State | undefined {
    return this.certificateOf(nodeId).status?.state;
  }

  /** Who the node's certificate says it is, checked against the swarm's roots. */
  identityOf(nodeId: string): NodeIdentity {
    const chain = Buffer.from(this.certificateOf(nodeId).certificate).toString();
    return verifyNodeCertificate(chain, this.rootPem, this.room.clock.now());
  }
}

export function newCsr(): Uint8Array {
  return Buffer.from(createNodeRequest().csrPem);
}

const RENEW_RETRY_MS = 5_000;

/**
 * A node as far as certificates go: renews when it is told to, and reports what it uses. It never
 * takes a certificate that does not verify under the roots it has.
 */
export class SimMember {
  readonly id: string;
  readonly #sim: SimAuthority;
  #isRenewing = false;
  /** While true the node hears nothing. */
  isDown = false;
  renewals = 0;

  private constructor(sim: SimAuthority, id: string) {
    this.#sim = sim;
    this.id = id;
    sim.room.store.subscribe(({ changes }) => {
      for (const change of changes) {
        if (change.table === 'node' && change.kind === 'update' && change.object.id === id) {
          this.wake(change.object);
        }
      }
    });
  }

  /** Joins, and reports its certificate. */
  static async join(
    sim: SimAuthority,
    token = sim.cluster.rootCa.joinTokens.worker,
  ): Promise<SimMember> {
    const { nodeId } = await sim.request(token);
    await sim.status(nodeId);
    const member = new SimMember(sim, nodeId);
    await member.#report();
    return member;
  }

  /** Does what its object tells it to. */
  wake(node: NodeObject): void {
    const isTold = node.certificate.status?.state === IssuanceStatus_State.ROTATE;
    if (!isTold || this.#isRenewing || this.isDown) return;
    this.#isRenewing = true;
    void this.#renew(node).then(
      () => this.#retry(),
      () => this.#sim.room.clock.after(RENEW_RETRY_MS, () => this.#retry()),
    );
  }

  /** Looks again: it may have been told something else meanwhile. */
  #retry(): void {
    this.#isRenewing = false;
    const node = this.#sim.room.store.view.get('node', this.id);
    if (node) this.wake(node);
  }

  async #renew(node: NodeObject): Promise<void> {
    await Promise.resolve(); // a listener must not write
    const request = create(IssueNodeCertificateRequestSchema, { csr: newCsr() });
    const caller = { nodeId: this.id, role: certifiedRole(node.role) };
    await this.#sim.authority.issueNodeCertificate(caller, request);
    const { certificate } = await this.#sim.status(this.id);
    if (Buffer.compare(certificate!.csr, request.csr)) throw new Error('not what was asked for');
    this.renewals++;
    await this.#report();
  }

  async #report(): Promise<void> {
    this.#sim.identityOf(this.id);
    const chain = Buffer.from(this.#sim.certificateOf(this.id).certificate).toString();
    const tlsInfo = create(NodeTLSInfoSchema, tlsInfoOf(chain, this.#sim.rootPem));
    const { description } = nodeOf(this.id);
    await this.#sim.room.store.update((tx) => {
      const node = tx.get('node', this.id);
      if (!node || !description) return;
      tx.update('node', { ...node, description: { ...description, tlsInfo } });
    });
  }
}
