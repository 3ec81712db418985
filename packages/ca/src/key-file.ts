import { createPrivateKey } from 'node:crypto';
import type { Random } from '@skep/platform';
import type { KeyProtection } from './key-protection.js';
import { seal, unseal } from './key-wrapping.js';
import { decodePem, encodePem, type PemBlock } from './x509/pem.js';

const PLAIN_LABEL = 'PRIVATE KEY';
const ENCRYPTED_LABEL = 'ENCRYPTED PRIVATE KEY';
/** Docker's header: the version of the unlock key, 0 where there is none. */
const VERSION_HEADER = 'kek-version';
/**
 * Ours: see {@link StoredKey.previous}. `none`, or the key in base64, sealed where there is a new
 * one.
 */
const PREVIOUS_HEADER = 'skep-previous-unlock-key';
const NONE = 'none';

/** A private key as its file holds it. */
export interface StoredKey {
  /** PKCS#8 PEM, not encrypted. */
  keyPem: string;
  protection: KeyProtection;
  /**
   * The unlock key before the last change, until everything else that it protects is protected by
   * the new one. Undefined when no change is under way.
   */
  previous: { unlockKey: Uint8Array | undefined } | undefined;
}

/**
 * The text of a key file: PKCS#8, encrypted (PBES2: PBKDF2 and AES-256-CBC) where there is an
 * unlock key. Throws when `keyPem` is not a private key.
 */
export function encodeKeyFile(stored: StoredKey, random: Random): string {
  const { keyPem, previous, protection } = stored;
  const block = decodePem(keyPem).find(({ label }) => label === PLAIN_LABEL);
  if (!block) throw new Error('not a private key in PKCS#8');
  const { unlockKey, version } = protection;
  const headers: Record<string, string> = { [VERSION_HEADER]: String(version) };
  if (previous) headers[PREVIOUS_HEADER] = encodePrevious(previous.unlockKey, unlockKey, random);
  if (!unlockKey) return encodePem(PLAIN_LABEL, block.der, headers);
  const der = createPrivateKey(keyPem).export({
    type: 'pkcs8',
    format: 'der',
    cipher: 'aes-256-cbc',
    passphrase: Buffer.from(unlockKey),
  });
  return encodePem(ENCRYPTED_LABEL, der, headers);
}

/**
 * `locked`: the key is encrypted, and not under the given unlock key. Throws when it is no key
 * file.
 */
export function decodeKeyFile(text: string, unlockKey?: Uint8Array): StoredKey | 'locked' {
  const block = decodePem(text).find(({ label }) => isKeyLabel(label));
  if (!block) throw new Error('not a private key');
  const versionText = block.headers[VERSION_HEADER] ?? '0';
  if (!/^\d{1,20}$/.test(versionText)) throw new Error(`${VERSION_HEADER}: not a number`);
  const version = BigInt(versionText);
  if (block.label === PLAIN_LABEL) {
    const protection = { unlockKey: undefined, version };
    return { keyPem: encodePem(PLAIN_LABEL, block.der), protection, previous: previousOf(block) };
  }
  const keyPem = unlockKey && decrypt(block.der, unlockKey);
  if (!keyPem) return 'locked';
  const protection = { unlockKey: Uint8Array.from(unlockKey), version };
  return { keyPem, protection, previous: previousOf(block, unlockKey) };
}

/** Where the key begins in a text that may hold certificates before it; -1 when it holds no key. */
export function keyOffset(text: string): number {
  return text.search(/-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/);
}

function isKeyLabel(label: string): boolean {
  return label === PLAIN_LABEL || label === ENCRYPTED_LABEL;
}

/** Undefined when it is another key's, which shows as damage of one kind or another. */
function decrypt(der: Uint8Array, unlockKey: Uint8Array): string | undefined {
  try {
    const passphrase = Buffer.from(unlockKey);
    const options = { key: Buffer.from(der), format: 'der', type: 'pkcs8', passphrase } as const;
    return createPrivateKey(options).export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch {
    return undefined;
  }
}

function encodePrevious(
  previous: Uint8Array | undefined,
  current: Uint8Array | undefined,
  random: Random,
): string {
  if (!previous) return NONE;
  const bytes = current ? seal(current, 'previous unlock key', previous, random) : previous;
  return Buffer.from(bytes).toString('base64');
}

function previousOf(block: PemBlock, unlockKey?: Uint8Array): StoredKey['previous'] {
  const text = block.headers[PREVIOUS_HEADER];
  if (text === undefined) return undefined;
  if (text === NONE) return { unlockKey: undefined };
  const bytes = Buffer.from(text, 'base64');
  const previous = unlockKey ? unseal(unlockKey, 'previous unlock key', bytes) : bytes;
  if (!previous) throw new Error(`${PREVIOUS_HEADER}: damaged`);
  return { unlockKey: Uint8Array.from(previous) };
}
