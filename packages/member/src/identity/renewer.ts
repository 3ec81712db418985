import {
  createNodeRequest,
  type KeyProtection,
  type NodeCredentials,
  type NodeIdentity,
  type NodeRole,
  parseNodeCertificate,
  renewalDelayMs,
} from '@skep/ca';
import {
  type Clock,
  Code,
  errorMessage,
  invariant,
  type Logger,
  type Random,
  RpcError,
} from '@skep/platform';
import type { Dialer } from '@skep/rpc';
import { CA, IssuanceStatus_State, type Node, NodeRole as WireRole } from '@skep/wire/swarmkit';
import type { RemoteManager } from '../remotes/remotes.js';
import { ExponentialBackoff } from './backoff.js';
import { requestCertificate } from './certificate-request.js';
import { Conversation, type PickedManager } from './conversation.js';
import { checkClock } from './errors.js';
import { verifyIssued } from './issued.js';
import { CLOCK_CHECK_MS, FORCED_RENEWAL_DELAY_MS, RENEWAL_BACKOFF } from './limits.js';
import type { NodeIdentityStore, RoleChange } from './node-identity-store.js';
import { fetchProtection } from './unlock-key.js';

/** The managers to ask, as `Remotes` knows them. */
export interface ManagerChoice {
  choose(): RemoteManager;
  observe(manager: RemoteManager, isGood: boolean): void;
}

export interface RenewerOptions {
  store: NodeIdentityStore;
  dialer: Dialer;
  remotes: ManagerChoice;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** A new certificate is in use. */
  onRenewed(change: RoleChange): void;
  /** An attempt failed; another follows. */
  onFailure?(error: unknown): void;
}

/**
 * Keeps a node's certificate fresh: renews it at a random minute of its middle age, and at once
 * when a manager wants it renewed or wants the node in another role (wire.md 2.7).
 */
export class Renewer {
  readonly #options: RenewerOptions;
  readonly #logger: Logger;
  readonly #backoff: ExponentialBackoff;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** What a renewal must bring; undefined: any role will do. */
  #expectedRole: NodeRole | undefined;
  /** The desired role last seen; this node's own at first. */
  #desiredRole: NodeRole | undefined;
  #renewedMs: number | undefined;
  /** The request whose rotation was asked for last, so that it is done once. */
  #rotated: Uint8Array | undefined;
  #isAskedFor = false;
  #poke: () => void = () => {};

  constructor(options: RenewerOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ room: 'renewer' });
    this.#backoff = new ExponentialBackoff(RENEWAL_BACKOFF, options.random);
  }

  /** The store must have an identity. */
  start(): void {
    this.#desiredRole = this.#identity.role;
    this.#loop = this.#run();
  }

  /** Resolves when no attempt is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort(new RpcError(Code.CANCELED, 'the node stops'));
    this.#poke();
    await this.#loop;
  }

  /** Looks at this node's object as a session message brought it. */
  observe(node: Node): void {
    const isManager = node.spec?.desiredRole === WireRole.MANAGER;
    const desired = isManager ? 'manager' : 'worker';
    const { certificate } = node;
    const isChange = desired !== this.#desiredRole;
    this.#desiredRole = desired;
    if (isChange) this.#expectedRole = desired;
    if (isChange || (certificate && this.#mustRotate(certificate))) this.renew();
  }

  /** What managers want this node to be, as far as it was told; undefined before the start. */
  get desiredRole(): NodeRole | undefined {
    return this.#desiredRole;
  }

  /** When the certificate was renewed last in this run, monotonic ms. */
  get renewedMs(): number | undefined {
    return this.#renewedMs;
  }

  /** Renews soon, whatever the certificate's age. */
  renew(): void {
    this.#isAskedFor = true;
    this.#poke();
  }

  #mustRotate({ csr, status }: NonNullable<Node['certificate']>): boolean {
    if (status?.state !== IssuanceStatus_State.ROTATE) return false;
    // Messages go on telling of the request that is being replaced.
    if (this.#rotated && Buffer.compare(this.#rotated, csr) === 0) return false;
    this.#rotated = csr;
    return true;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.#options;
    let retryAtMs: number | undefined;
    while (!signal.aborted) {
      await this.#waitUntilDue(retryAtMs);
      if (signal.aborted) return;
      retryAtMs = undefined;
      const isDone = await this.#attempt();
      if (isDone) this.#backoff.reset();
      else retryAtMs = clock.monotonic() + this.#backoff.next();
    }
  }

  /**
   * Until a renewal is asked for, or the certificate is old enough; after a failure until the
   * retry.
   */
  async #waitUntilDue(retryAtMs: number | undefined): Promise<void> {
    const { clock, random } = this.#options;
    const dueMs = clock.now() + renewalDelayMs(this.#identity, clock.now(), random);
    while (!this.#isAskedFor && !this.#stop.signal.aborted) {
      const leftMs = retryAtMs === undefined ? dueMs - clock.now() : retryAtMs - clock.monotonic();
      if (leftMs <= 0) return;
      await this.#sleep(Math.min(leftMs, CLOCK_CHECK_MS));
    }
    if (this.#stop.signal.aborted) return;
    this.#isAskedFor = false;
    await clock.sleep(FORCED_RENEWAL_DELAY_MS, this.#stop.signal).catch(() => {});
  }

  /** Ends early when there is something to do. */
  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(delayMs, () => this.#poke());
      this.#poke = () => {
        this.#poke = () => {};
        cancel();
        resolve();
      };
    });
  }

  /** False when there must be another attempt. */
  async #attempt(): Promise<boolean> {
    const { onFailure, onRenewed } = this.#options;
    try {
      const change = await this.#renew();
      this.#logger.info({ role: change.after }, 'the certificate was renewed');
      this.#renewedMs = this.#options.clock.monotonic();
      onRenewed(change);
      return !this.#expectedRole || this.#expectedRole === change.after;
    } catch (error) {
      if (this.#stop.signal.aborted) return false;
      const reason = this.#explain(error);
      this.#logger.warn({ error: errorMessage(reason) }, 'cannot renew the certificate');
      onFailure?.(reason);
      return false;
    }
  }

  /**
   * With a certificate that is out of date nothing can go well, and that is what people must
   * hear.
   */
  #explain(error: unknown): unknown {
    try {
      checkClock('the certificate of this node', this.#identity, this.#options.clock.now());
      return error;
    } catch (outOfDate) {
      return outOfDate;
    }
  }

  async #renew(): Promise<RoleChange> {
    const { clock, dialer, store } = this.#options;
    const { signal } = this.#stop;
    const pick = () => this.#pick();
    const dial = { serverName: 'swarm-ca' } as const;
    const conversation = new Conversation({ dialer, clock, dial, pick, signal });
    try {
      let credentials = await this.#request(conversation);
      if (await this.#refreshRoots(conversation, credentials)) {
        credentials = await this.#request(conversation);
      }
      const { role } = this.#verify(credentials);
      const becomesManager = role === 'manager' && this.#identity.role !== 'manager';
      const protection = becomesManager && (await this.#fetchProtection(credentials));
      return await store.adopt({ credentials, ...(protection && { protection }) });
    } finally {
      conversation.close();
    }
  }

  async #request(conversation: Conversation): Promise<NodeCredentials> {
    const { clock, random } = this.#options;
    const { csrPem, keyPem } = createNodeRequest();
    const waiting = { clock, random, signal: this.#stop.signal };
    const request = { csrPem, attemptDelayMs: 0 };
    const { certificatePem } = await requestCertificate(conversation, request, waiting);
    return { certificatePem, keyPem };
  }

  /**
   * A root rotation may have ended without this worker hearing of it: asks for the roots when
   * those it has do not vouch for the new certificate. True when it has others now. Unlike a
   * Docker Engine it asks a manager that the old roots still vouch for, not anyone.
   */
  async #refreshRoots(conversation: Conversation, credentials: NodeCredentials): Promise<boolean> {
    try {
      this.#verify(credentials);
      return false;
    } catch (error) {
      const isUnknown = error instanceof RpcError && error.code === Code.UNAUTHENTICATED;
      const { role } = parseNodeCertificate(credentials.certificatePem);
      if (!isUnknown || role !== 'worker') throw error;
    }
    const { certificate } = await conversation.call(CA.method.getRootCACertificate, {});
    return this.#options.store.updateRoot(Buffer.from(certificate).toString());
  }

  #fetchProtection(credentials: NodeCredentials): Promise<KeyProtection> {
    const { clock, dialer, store } = this.#options;
    const identity = { ...credentials, rootPem: store.current()!.rootPem };
    const pick = () => this.#pick();
    return fetchProtection({ clock, dialer, identity, pick, signal: this.#stop.signal });
  }

  #verify(credentials: NodeCredentials): NodeIdentity {
    const { clock, store } = this.#options;
    const rootPem = store.current()!.rootPem;
    const identity = verifyIssued(credentials, this.#identity.nodeId, rootPem, clock.now());
    if (identity.clusterId === this.#identity.clusterId) return identity;
    throw new RpcError(Code.FAILED_PRECONDITION, 'the certificate is of another swarm');
  }

  #pick(): PickedManager {
    const { remotes } = this.#options;
    const manager = remotes.choose();
    return {
      address: manager.address,
      observe: (isGood) => remotes.observe(manager, isGood),
    };
  }

  get #identity(): NodeIdentity {
    const { identity } = this.#options.store;
    invariant(identity, 'only a node with a certificate renews it');
    return identity;
  }
}
