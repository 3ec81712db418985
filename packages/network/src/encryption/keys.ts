import { createPrivateKey, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, hasErrno, type Random } from '@skep/platform';

const KEY_BYTES = 32;
const FILE = 'wireguard.key';
/** What stands before the 32 bytes of an X25519 private key in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** An X25519 key pair, each 32 bytes. */
export interface KeyPair {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}

/** The pair of a private key: any 32 bytes are one (RFC 7748). */
export function keyPairOf(privateKey: Uint8Array): KeyPair {
  const der = Buffer.concat([PKCS8_PREFIX, privateKey]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: spki.subarray(-KEY_BYTES) };
}

/** This node's pair, made at the first call and kept on disk (0600) from then on. */
export async function loadKeyPair(disk: Disk, random: Random, directory: string): Promise<KeyPair> {
  const path = join(directory, FILE);
  try {
    const kept = await disk.readFile(path);
    if (kept.length === KEY_BYTES) return keyPairOf(kept);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const pair = keyPairOf(random.bytes(KEY_BYTES));
  await disk.makeDirectory(directory, 0o700);
  await disk.writeFileAtomic(path, pair.privateKey, 0o600);
  return pair;
}
