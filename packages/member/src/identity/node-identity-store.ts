import { create } from '@bufbuild/protobuf';
import {
  CertificateFiles,
  type KeyProtection,
  NO_PROTECTION,
  type NodeCredentials,
  type NodeIdentity,
  type NodeRole,
  type ProtectionChange,
  parseNodeCertificate,
  tlsInfoOf,
  verifyNodeCertificate,
} from '@skep/ca';
import { type Clock, Code, type Disk, invariant, type Random, RpcError } from '@skep/platform';
import type { IdentitySource, TlsIdentity } from '@skep/rpc';
import { type NodeTLSInfo, NodeTLSInfoSchema } from '@skep/wire/swarmkit';
import { IdentityError } from './errors.js';
import { checkRoot } from './root-certificate.js';

export interface NodeIdentityStoreOptions {
  disk: Disk;
  clock: Clock;
  random: Random;
  /** The swarm's directory. */
  directory: string;
  /** What people typed to unlock the node, 32 bytes. */
  unlockKey?: Uint8Array | undefined;
}

/** `locked`: there is one, and it needs the unlock key. */
export type IdentityState = 'none' | 'locked' | 'ready';

/** What a node takes over as its own. */
export interface AdoptedIdentity {
  credentials: NodeCredentials;
  /** Of a node that joins or founds a swarm. */
  rootPem?: string;
  /**
   * How a node that becomes a manager protects its key. Without it a manager keeps to the
   * protection it has; a worker's key is never encrypted.
   */
  protection?: KeyProtection;
}

export interface RoleChange {
  /** Undefined for the first identity. */
  before: NodeRole | undefined;
  after: NodeRole;
}

/**
 * Who this node is in its swarm: certificate, key and trusted roots, kept on disk, changed here
 * only. What is read is always a whole: the changes queue up.
 */
export class NodeIdentityStore implements IdentitySource {
  readonly #options: NodeIdentityStoreOptions;
  readonly #files: CertificateFiles;
  readonly #listeners = new Set<() => void>();
  #state: IdentityState = 'none';
  #tls: TlsIdentity | undefined;
  #identity: NodeIdentity | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: NodeIdentityStoreOptions) {
    this.#options = options;
    this.#files = new CertificateFiles(options.disk, options.directory, options.random);
  }

  /**
   * With what the last run left. Throws when the files cannot be read or do not belong together;
   * dates are not looked at: see {@link NodeIdentityStore.isInDate}.
   */
  static async open(options: NodeIdentityStoreOptions): Promise<NodeIdentityStore> {
    const store = new NodeIdentityStore(options);
    await store.#load(options.unlockKey);
    return store;
  }

  get state(): IdentityState {
    return this.#state;
  }

  current(): TlsIdentity | undefined {
    return this.#tls;
  }

  /** What the certificate says. Undefined unless {@link state} is `ready`. */
  get identity(): NodeIdentity | undefined {
    return this.#identity;
  }

  /** How the private key is protected, and what else must be under the same unlock key. */
  get protection(): KeyProtection {
    return this.#files.protection;
  }

  /** The unlock key before a change that is not settled; see {@link settleProtection}. */
  get previousUnlockKey(): { unlockKey: Uint8Array | undefined } | undefined {
    return this.#files.previous;
  }

  /** Whether the certificate can be used now, by this node's clock. False when there is none. */
  get isInDate(): boolean {
    const nowMs = this.#options.clock.now();
    const identity = this.#identity;
    return !!identity && nowMs >= identity.notBeforeMs && nowMs <= identity.notAfterMs;
  }

  /** For the node's description. Undefined when there is no identity. */
  tlsInfo(): NodeTLSInfo | undefined {
    if (!this.#tls) return undefined;
    return create(NodeTLSInfoSchema, tlsInfoOf(this.#tls.certificatePem, this.#tls.rootPem));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tries an unlock key on a locked node. False when it is another's. */
  unlock(unlockKey: Uint8Array): Promise<boolean> {
    return this.#exclusive(async () => {
      if (this.#state !== 'locked') return this.#state === 'ready';
      await this.#load(unlockKey);
      if (!this.#tls) return false;
      this.#tell();
      return true;
    });
  }

  /** Takes over a certificate, and uses it once it is on disk. It must have been verified. */
  adopt({ credentials, protection, rootPem }: AdoptedIdentity): Promise<RoleChange> {
    return this.#exclusive(async () => {
      const trusted = rootPem ?? this.#tls?.rootPem;
      invariant(trusted !== undefined, 'a node has roots before it has a certificate');
      const identity = parseNodeCertificate(credentials.certificatePem);
      const before = this.#identity?.role;
      if (rootPem !== undefined) await this.#files.saveRoot(rootPem);
      const isWorker = identity.role === 'worker';
      await this.#files.saveNode(credentials, isWorker ? NO_PROTECTION : protection);
      this.#use({ ...credentials, rootPem: trusted }, identity);
      this.#tell();
      return { before, after: identity.role };
    });
  }

  /**
   * Trusts other roots from now on. False when they are those it trusts already. Rejects, and
   * stays with those, when they are no valid roots or do not vouch for the node's own certificate
   * (wire.md 2.8).
   */
  updateRoot(rootPem: string): Promise<boolean> {
    return this.#exclusive(async () => {
      const [identity, tls] = [this.#identity, this.#tls];
      if (!identity || !tls || rootPem === tls.rootPem) return false;
      checkRoot(rootPem, this.#options);
      if (!this.#isVouchedFor(tls.certificatePem, identity, rootPem)) {
        const text = 'new root CA does not match existing TLS credentials';
        throw new IdentityError(Code.FAILED_PRECONDITION, text);
      }
      await this.#files.saveRoot(rootPem);
      this.#tls = { ...tls, rootPem };
      this.#tell();
      return true;
    });
  }

  /**
   * Protects the private key by the unlock key of a cluster's version, by the rule of
   * wire-raft.md 7.2. When that replaces the one before, what else it protects comes next, and
   * then {@link settleProtection}; {@link previousUnlockKey} tells, also after a crash, that this
   * is still to be done.
   */
  protect(protection: KeyProtection): Promise<ProtectionChange> {
    return this.#exclusive(async () => {
      invariant(this.#tls, 'only a node with a certificate protects its key');
      return await this.#files.rekey(protection);
    });
  }

  /** All that the unlock key protects is under the new one. */
  settleProtection(): Promise<void> {
    return this.#exclusive(() => this.#files.settleRekey());
  }

  /** Forgets everything, on disk too: the node left its swarm. */
  wipe(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#files.removeAll();
      this.#state = 'none';
      this.#tls = undefined;
      this.#identity = undefined;
      this.#tell();
    });
  }

  async #load(unlockKey: Uint8Array | undefined): Promise<void> {
    const rootPem = await this.#files.loadRoot();
    const credentials = await this.#files.loadNode(unlockKey);
    // Roots alone are what a crash left of an attempt to join.
    if (rootPem === undefined || credentials === undefined) return;
    if (credentials === 'locked') {
      this.#state = 'locked';
      return;
    }
    const identity = parseNodeCertificate(credentials.certificatePem);
    if (!this.#isVouchedFor(credentials.certificatePem, identity, rootPem)) {
      const text = 'the certificate of this node is not signed by the root certificates beside it';
      throw new IdentityError(Code.FAILED_PRECONDITION, text);
    }
    this.#use({ ...credentials, rootPem }, identity);
  }

  /**
   * Whether roots vouch for a certificate, now or, where the clock is outside of its dates, at
   * their end.
   */
  #isVouchedFor(certificatePem: string, identity: NodeIdentity, rootPem: string): boolean {
    const { notAfterMs, notBeforeMs } = identity;
    const nowMs = this.#options.clock.now();
    const isInDate = nowMs >= notBeforeMs && nowMs <= notAfterMs;
    try {
      verifyNodeCertificate(certificatePem, rootPem, isInDate ? nowMs : notAfterMs);
      return true;
    } catch (error) {
      if (error instanceof RpcError) return false;
      throw error;
    }
  }

  #use(tls: TlsIdentity, identity: NodeIdentity): void {
    this.#tls = tls;
    this.#identity = identity;
    this.#state = 'ready';
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    // Whoever asked hears of it; the next change is another matter.
    this.#turn = done.catch(() => {});
    return done;
  }
}
