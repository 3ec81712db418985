import { createCipheriv, createDecipheriv } from 'node:crypto';
import { invariant, type Random } from '@skep/platform';
import { GossipFormatError } from '../errors.js';

const ALGORITHM = 'aes-128-gcm';
export const KEY_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PADDED = 0;
const UNPADDED = 1;
const BLOCK_BYTES = 16;
const NOTHING = new Uint8Array();

/** What sealing adds: version, nonce and tag. */
export const SEAL_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/**
 * The keys of a cluster's gossip. The first one seals, every one opens: so all nodes understand each
 * other while the keys are being replaced.
 */
export class Keyring {
  readonly #random: Random;
  #keys: readonly Uint8Array[];

  constructor({ keys, random }: { keys: readonly Uint8Array[]; random: Random }) {
    this.#random = random;
    this.#keys = checked(keys);
  }

  /** Keys of 16 bytes, at least one, the one to seal with first. */
  replace(keys: readonly Uint8Array[]): void {
    this.#keys = checked(keys);
  }

  /** Seals `plain`; `context` travels beside it, and must be the same when it is opened. */
  seal(plain: Uint8Array, context: Uint8Array = NOTHING): Buffer {
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keys[0] ?? NOTHING, nonce);
    cipher.setAAD(context);
    const sealed = [cipher.update(plain), cipher.final()];
    return Buffer.concat([Buffer.of(UNPADDED), nonce, ...sealed, cipher.getAuthTag()]);
  }

  /** Throws {@link GossipFormatError} for what none of the keys has sealed, or not with this context. */
  open(sealed: Uint8Array, context: Uint8Array = NOTHING): Buffer {
    const version = sealed[0] ?? -1;
    if (version !== UNPADDED && version !== PADDED) throw new GossipFormatError('not sealed');
    if (sealed.length < SEAL_BYTES) throw new GossipFormatError('too short to be sealed');
    for (const key of this.#keys) {
      const plain = openWith(key, sealed, context);
      if (plain) return version === PADDED ? withoutPadding(plain) : plain;
    }
    throw new GossipFormatError('sealed with none of the keys');
  }
}

function checked(keys: readonly Uint8Array[]): readonly Uint8Array[] {
  invariant(keys.length > 0, 'a keyring without a key');
  invariant(
    keys.every(({ length }) => length === KEY_BYTES),
    'a key of the wrong length',
  );
  return [...keys];
}

function openWith(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Buffer | undefined {
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(1, 1 + NONCE_BYTES));
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.subarray(tagAt));
  try {
    const plain = decipher.update(sealed.subarray(1 + NONCE_BYTES, tagAt));
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Old versions pad to whole blocks, with bytes that tell how many they are. */
function withoutPadding(plain: Buffer): Buffer {
  const padding = plain.at(-1) ?? 0;
  if (padding < 1 || padding > BLOCK_BYTES || padding > plain.length) {
    throw new GossipFormatError('padded wrongly');
  }
  return plain.subarray(0, plain.length - padding);
}
