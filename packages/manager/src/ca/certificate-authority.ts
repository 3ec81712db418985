import { create } from '@bufbuild/protobuf';
import type { ExternalAuthority } from '@skep/ca';
import { Code, RpcError } from '@skep/platform';
import type { ClusterObject } from '@skep/wire';
import {
  GetRootCACertificateResponseSchema,
  GetUnlockKeyResponseSchema,
  type IssueNodeCertificateRequest,
  IssueNodeCertificateResponseSchema,
  type NodeCertificateStatusRequest,
  NodeCertificateStatusResponseSchema,
} from '@skep/wire/swarmkit';
import { managerUnlockKey } from '../cluster/unlock-key.js';
import type { CertificateService, CertifiedCaller, ControlLoop } from '../contract.js';
import { CLUSTER_NAME } from '../control/cluster/refused-certificates.js';
import { invalidArgument } from '../control/errors.js';
import type { LoopOptions } from '../loop/planner.js';
import { checkIssueRequest, enrol, renew } from './enrolment.js';
import { isDecided } from './requests.js';
import { RootRotationLoop } from './root-rotation-loop.js';
import { SigningLoop } from './signing-loop.js';
import { Waiters } from './waiters.js';

export interface CertificateAuthorityOptions extends LoopOptions {
  /** Authorities outside the swarm; without it, those a cluster names cannot be reached. */
  external?: ExternalAuthority | undefined;
}

/**
 * Gives nodes their certificates: takes requests, signs them, and sees a change of root through.
 * The services answer only while it runs, which is while this manager leads.
 */
export class CertificateAuthority implements CertificateService, ControlLoop {
  readonly #options: CertificateAuthorityOptions;
  readonly #waiters = new Waiters();
  readonly #signing: SigningLoop;
  readonly #rotation: RootRotationLoop;
  #isRunning = false;
  #unsubscribe = () => {};

  constructor(options: CertificateAuthorityOptions) {
    this.#options = options;
    this.#signing = new SigningLoop(options);
    this.#rotation = new RootRotationLoop(options);
  }

  start(): void {
    this.#isRunning = true;
    this.#unsubscribe = this.#options.store.subscribe(({ changes }) => {
      for (const change of changes) {
        this.#waiters.onChange(change);
        this.#signing.onChange(change);
        this.#rotation.onChange(change);
      }
    });
    this.#signing.start();
    this.#rotation.start();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#unsubscribe();
    this.#waiters.rejectAll(stopped());
    await Promise.all([this.#signing.stop(), this.#rotation.stop()]);
  }

  async getRootCaCertificate() {
    const { caCert: certificate } = this.#cluster().rootCa;
    return create(GetRootCACertificateResponseSchema, { certificate });
  }

  async getUnlockKey() {
    const cluster = this.#cluster();
    const unlockKey = managerUnlockKey(cluster);
    return create(GetUnlockKeyResponseSchema, { unlockKey, version: cluster.meta.version });
  }

  async issueNodeCertificate(
    caller: CertifiedCaller | undefined,
    request: IssueNodeCertificateRequest,
  ) {
    checkIssueRequest(request);
    this.#checkRunning();
    const { store, random, log } = this.#options;
    const isKnown = caller && !this.#cluster().blacklistedCertificates[caller.nodeId];
    const node = await store.update((tx) =>
      isKnown ? renew(tx, caller.nodeId, request.csr) : enrol(tx, request, random),
    );
    log.debug({ nodeId: node.id, renewal: Boolean(isKnown) }, 'certificate requested');
    const { membership: nodeMembership } = node.spec;
    return create(IssueNodeCertificateResponseSchema, { nodeId: node.id, nodeMembership });
  }

  async nodeCertificateStatus({ nodeId }: NodeCertificateStatusRequest, signal: AbortSignal) {
    if (!nodeId) throw invalidArgument('InvalidArgument');
    this.#checkRunning();
    const known = this.#options.store.view.get('node', nodeId);
    if (!known) throw new RpcError(Code.NOT_FOUND, 'NotFound');
    const node = isDecided(known.certificate) ? known : await this.#waiters.wait(nodeId, signal);
    const { certificate } = node;
    return create(NodeCertificateStatusResponseSchema, { status: certificate.status, certificate });
  }

  #checkRunning(): void {
    if (!this.#isRunning) throw stopped();
  }

  #cluster(): ClusterObject {
    const cluster = this.#options.store.view.named('cluster', CLUSTER_NAME);
    if (!cluster) throw new RpcError(Code.ABORTED, 'CA signer is still starting');
    return cluster;
  }
}

function stopped(): RpcError {
  return new RpcError(Code.ABORTED, 'CA signer is stopped');
}
