import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '@skep/platform';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** What an unlock key is used for; each use has a key of its own, derived from it. */
type Purpose = 'data key' | 'previous unlock key';

/** Nonce, ciphertext and tag. */
export function seal(
  unlockKey: Uint8Array,
  purpose: Purpose,
  plain: Uint8Array,
  random: Random,
): Uint8Array {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, derive(unlockKey, purpose), nonce);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, body, cipher.getAuthTag()]);
}

/** What {@link seal} was given; undefined when the key is another one or the bytes are damaged. */
export function unseal(
  unlockKey: Uint8Array,
  purpose: Purpose,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const tagAt = sealed.length - TAG_BYTES;
  if (tagAt < NONCE_BYTES) return undefined;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, derive(unlockKey, purpose), nonce);
  decipher.setAuthTag(sealed.subarray(tagAt));
  try {
    const body = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
    return Uint8Array.from(Buffer.concat([body, decipher.final()]));
  } catch {
    return undefined;
  }
}

function derive(unlockKey: Uint8Array, purpose: Purpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', unlockKey, '', `skep ${purpose}`, KEY_BYTES));
}

/** Protects another room's key (the log's data key) under an unlock key. */
export interface UnlockKeyWrapping {
  readonly name: string;
  wrap(key: Uint8Array): Uint8Array;
  /** Throws when none of the unlock keys fits. */
  unwrap(wrapped: Uint8Array): Uint8Array;
}

/**
 * Wraps under the first of the unlock keys, AES-256-GCM, and unwraps what any of them wrapped:
 * while the unlock key changes, a crash can leave the old one's wrapping behind.
 */
export function unlockKeyWrapping(
  unlockKeys: readonly [Uint8Array, ...Uint8Array[]],
  random: Random,
): UnlockKeyWrapping {
  return {
    name: 'unlock-key',
    wrap: (key) => seal(unlockKeys[0], 'data key', key, random),
    unwrap: (wrapped) => {
      for (const unlockKey of unlockKeys) {
        const key = unseal(unlockKey, 'data key', wrapped);
        if (key) return key;
      }
      throw new Error('the key is wrapped under another unlock key');
    },
  };
}
