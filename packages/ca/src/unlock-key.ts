import type { Random } from '@skep/platform';

const PREFIX = 'SWMKEY-1-';
const KEY_BYTES = 32;

/** A new key to unlock managers with, 32 random bytes. */
export function newUnlockKey(random: Random): Uint8Array {
  return random.bytes(KEY_BYTES);
}

/** The text people keep: `SWMKEY-1-` and base64 without padding. */
export function formatUnlockKey(key: Uint8Array): string {
  return PREFIX + Buffer.from(key).toString('base64').replace(/=+$/, '');
}

/** Reads what people typed. Throws SwarmKit's `invalid key string` on anything else. */
export function parseUnlockKey(text: string): Uint8Array {
  const body = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
  const key = Buffer.from(body, 'base64');
  if (key.length !== KEY_BYTES || formatUnlockKey(key) !== text) {
    throw new Error('invalid key string');
  }
  return Uint8Array.from(key);
}
