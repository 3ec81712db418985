import { join } from 'node:path';
import {
  type Disk,
  errorMessage,
  hasErrno,
  invariant,
  type Random,
  RealRandom,
} from '@skep/platform';
import { decodeKeyFile, encodeKeyFile, keyOffset, type StoredKey } from './key-file.js';
import {
  compareProtection,
  type KeyProtection,
  NO_PROTECTION,
  type ProtectionChange,
} from './key-protection.js';

const DIRECTORY = 'certificates';
const ROOT_FILE = 'swarm-root-ca.crt';
const CERTIFICATE_FILE = 'swarm-node.crt';
const KEY_FILE = 'swarm-node.key';
/**
 * Certificate and key together, until each has its place: a crash never leaves one without the
 * other.
 */
const PENDING_FILE = '.swarm-node.pending';

const PUBLIC_MODE = 0o644;
const SECRET_MODE = 0o600;

/** A node's certificate with its intermediates, and its private key, both PEM. */
export interface NodeCredentials {
  certificatePem: string;
  keyPem: string;
}

/**
 * The certificates under a swarm's directory, named and laid out as Docker's are. Calls must not
 * overlap.
 */
export class CertificateFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #random: Random;
  #key: Pick<StoredKey, 'protection' | 'previous'> = freshKey();

  /** @param swarmDirectory the directory that holds `certificates/` */
  constructor(disk: Disk, swarmDirectory: string, random: Random = new RealRandom()) {
    this.#disk = disk;
    this.#directory = join(swarmDirectory, DIRECTORY);
    this.#random = random;
  }

  /** How the private key is kept, as last loaded or saved. */
  get protection(): KeyProtection {
    return this.#key.protection;
  }

  /**
   * The unlock key before the last {@link rekey}, until {@link settleRekey}: what else it
   * protects may still be protected by it. Undefined when no change is under way.
   */
  get previous(): StoredKey['previous'] {
    return this.#key.previous;
  }

  /** PEM of the trusted roots; undefined when there is none yet. */
  loadRoot(): Promise<string | undefined> {
    return this.#read(ROOT_FILE);
  }

  async saveRoot(certificatePem: string): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    await this.#write(ROOT_FILE, certificatePem, PUBLIC_MODE);
  }

  /**
   * The node's own credentials; undefined when there are none yet, `locked` when the key is
   * encrypted and not under `unlockKey`. Throws when the files hold something else.
   */
  async loadNode(unlockKey?: Uint8Array): Promise<NodeCredentials | 'locked' | undefined> {
    const pending = await this.#read(PENDING_FILE);
    if (pending !== undefined) await this.#settle(pending);
    const certificatePem = await this.#read(CERTIFICATE_FILE);
    const text = await this.#read(KEY_FILE);
    if (certificatePem === undefined || text === undefined) return undefined;
    const stored = this.#decode(text, unlockKey);
    if (stored === 'locked') return 'locked';
    this.#key = stored;
    return { certificatePem, keyPem: stored.keyPem };
  }

  /**
   * Replaces the node's credentials: after a crash, both are the old or both the new ones. The
   * key is protected as the one before it was, or as `protection` says; then nothing that an
   * unlock key before it protected is needed any more.
   */
  async saveNode(
    { certificatePem, keyPem }: NodeCredentials,
    protection?: KeyProtection,
  ): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    const key = protection ? { protection, previous: undefined } : this.#key;
    const pending = certificatePem + encodeKeyFile({ keyPem, ...key }, this.#random);
    await this.#write(PENDING_FILE, pending, SECRET_MODE);
    await this.#settle(pending);
    this.#key = key;
  }

  /**
   * Takes over the unlock key of a cluster's version, by the rule of {@link compareProtection}.
   * When it replaces the one before, {@link previous} is that one from now on, and until {@link
   * settleRekey} every call says whether what lay open is being locked. The credentials must have
   * been loaded or saved before.
   */
  async rekey(protection: KeyProtection): Promise<ProtectionChange> {
    const before = this.#key;
    const { replaces } = compareProtection(before.protection, protection);
    // What was not yet brought from an older key to the last one is still under the older.
    const previous = before.previous ?? { unlockKey: before.protection.unlockKey };
    if (replaces) await this.#rewriteKey({ protection, previous });
    return { replaces, locksNow: this.#isLocking };
  }

  get #isLocking(): boolean {
    const { previous, protection } = this.#key;
    return !!previous && !previous.unlockKey && protection.unlockKey !== undefined;
  }

  /** Nothing needs the unlock key before the last {@link rekey} any more. */
  async settleRekey(): Promise<void> {
    if (!this.#key.previous) return;
    await this.#rewriteKey({ protection: this.#key.protection, previous: undefined });
  }

  /** Forgets everything: the node left its swarm. */
  async removeAll(): Promise<void> {
    await this.#disk.remove(this.#directory);
    this.#key = freshKey();
  }

  async #rewriteKey(key: Pick<StoredKey, 'protection' | 'previous'>): Promise<void> {
    const text = await this.#read(KEY_FILE);
    const stored = text && this.#decode(text, this.#key.protection.unlockKey);
    invariant(stored && stored !== 'locked', 'the key that is protected anew was read before');
    const rewritten = encodeKeyFile({ keyPem: stored.keyPem, ...key }, this.#random);
    await this.#write(KEY_FILE, rewritten, SECRET_MODE);
    this.#key = key;
  }

  #decode(text: string, unlockKey: Uint8Array | undefined): StoredKey | 'locked' {
    try {
      return decodeKeyFile(text, unlockKey);
    } catch (error) {
      const text = `${join(this.#directory, KEY_FILE)}: ${errorMessage(error)}`;
      throw new Error(text, { cause: error });
    }
  }

  async #settle(pending: string): Promise<void> {
    const keyAt = keyOffset(pending);
    await this.#write(KEY_FILE, pending.slice(keyAt), SECRET_MODE);
    await this.#write(CERTIFICATE_FILE, pending.slice(0, keyAt), PUBLIC_MODE);
    await this.#disk.remove(join(this.#directory, PENDING_FILE));
    await this.#disk.syncDirectory(this.#directory);
  }

  #write(name: string, text: string, mode: number): Promise<void> {
    return this.#disk.writeFileAtomic(join(this.#directory, name), Buffer.from(text), mode);
  }

  async #read(name: string): Promise<string | undefined> {
    try {
      return Buffer.from(await this.#disk.readFile(join(this.#directory, name))).toString();
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}

function freshKey(): Pick<StoredKey, 'protection' | 'previous'> {
  return { protection: NO_PROTECTION, previous: undefined };
}
