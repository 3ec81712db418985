import { join } from 'node:path';
import { type Disk, hasErrno } from '@skep/platform';
import { decodePem, encodePem } from './x509/pem.js';

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
const KEY_LABEL = 'PRIVATE KEY';
/** Version of the unlock key that protects the private key: none. */
const KEY_HEADERS = { 'kek-version': '0' };

/** A node's certificate with its intermediates, and its private key, both PEM. */
export interface NodeCredentials {
  certificatePem: string;
  keyPem: string;
}

/** The certificates under a swarm's directory, named and laid out as Docker's are. */
export class CertificateFiles {
  readonly #disk: Disk;
  readonly #directory: string;

  /** @param swarmDirectory the directory that holds `certificates/` */
  constructor(disk: Disk, swarmDirectory: string) {
    this.#disk = disk;
    this.#directory = join(swarmDirectory, DIRECTORY);
  }

  /** PEM of the trusted roots; undefined when there is none yet. */
  loadRoot(): Promise<string | undefined> {
    return this.#read(ROOT_FILE);
  }

  async saveRoot(certificatePem: string): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    await this.#write(ROOT_FILE, certificatePem, PUBLIC_MODE);
  }

  /** The node's own credentials; undefined when there are none yet. */
  async loadNode(): Promise<NodeCredentials | undefined> {
    const pending = await this.#read(PENDING_FILE);
    if (pending !== undefined) await this.#settle(pending);
    const certificatePem = await this.#read(CERTIFICATE_FILE);
    const keyFile = await this.#read(KEY_FILE);
    if (certificatePem === undefined || keyFile === undefined) return undefined;
    const key = decodePem(keyFile).find(({ label }) => label === KEY_LABEL);
    if (!key) throw new Error(`${join(this.#directory, KEY_FILE)}: not a private key`);
    return { certificatePem, keyPem: encodePem(KEY_LABEL, key.der) };
  }

  /** Replaces the node's credentials: after a crash, both are the old or both the new ones. */
  async saveNode({ certificatePem, keyPem }: NodeCredentials): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    const key = decodePem(keyPem).find(({ label }) => label === KEY_LABEL);
    if (!key) throw new Error('not a private key in PKCS#8');
    const pending = certificatePem + encodePem(KEY_LABEL, key.der, KEY_HEADERS);
    await this.#write(PENDING_FILE, pending, SECRET_MODE);
    await this.#settle(pending);
  }

  async #settle(pending: string): Promise<void> {
    const keyAt = pending.indexOf(`-----BEGIN ${KEY_LABEL}-----`);
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
