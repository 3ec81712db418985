import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '@skep/platform';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Length of a data key and of the keys derived from it. */
export const KEY_BYTES = 32;
/** Length of the salt that gives each file a key of its own. */
export const SALT_BYTES = 16;
/** Length of a data key's fingerprint. */
export const KEY_ID_BYTES = 8;
/** Bytes that sealing adds. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

/** Seals and opens the pieces of one file. */
export class FileCipher {
  readonly #key: Uint8Array;
  readonly #random: Random;

  constructor(key: Uint8Array, random: Random) {
    this.#key = key;
    this.#random = random;
  }

  /** Nonce, ciphertext and tag. `context` is not stored, but must be the same when opening. */
  seal(plain: Uint8Array, context: Uint8Array): Uint8Array {
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(context);
    const body = cipher.update(plain);
    cipher.final();
    return Buffer.concat([nonce, body, cipher.getAuthTag()]);
  }

  /**
   * The plain bytes; undefined when key, context or bytes are not those of {@link FileCipher.seal}.
   */
  open(sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined {
    if (sealed.length < SEAL_BYTES) return undefined;
    const tagAt = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, this.#key, sealed.subarray(0, NONCE_BYTES));
    decipher.setAAD(context).setAuthTag(sealed.subarray(tagAt));
    const plain = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plain;
  }
}

/**
 * The key that log and snapshots are encrypted under. Each file has a key derived from it and the
 * file's salt, so that random nonces stay far from repeating however long the node lives.
 */
export class DataKey {
  /** Tells keys apart without giving one away. */
  readonly id: Uint8Array;
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
    this.id = derive(key, new Uint8Array(0), 'skep raft key id', KEY_ID_BYTES);
  }

  forFile(salt: Uint8Array, random: Random): FileCipher {
    return new FileCipher(derive(this.#key, salt, 'skep raft file', KEY_BYTES), random);
  }
}

function derive(key: Uint8Array, salt: Uint8Array, info: string, length: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, info, length));
}
