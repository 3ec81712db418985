import type { Random } from './random.js';

const ID_RANDOM_BYTES = 17;
const ID_LENGTH = 25;

/**
 * A swarm object id: 25 characters of `[0-9a-z]`. 17 random bytes with the top bit set are written in base 36
 * (27 digits) and the first and last digit dropped (wire.md 2.1), so that all digits are evenly spread.
 */
export function newId(random: Random): string {
  return idFromBytes(random.bytes(ID_RANDOM_BYTES));
}

/** The id that 17 given bytes make. */
export function idFromBytes(bytes: Uint8Array): string {
  const copy = Uint8Array.from(bytes);
  copy[0] = (copy[0] ?? 0) | 0x80;
  return base36(copy).slice(1, 1 + ID_LENGTH);
}

/** Big-endian bytes as base-36 digits, lower case, without leading zeros. */
export function base36(bytes: Uint8Array): string {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`).toString(36);
}

/** A container's id: 64 hexadecimal characters, as Docker makes them. */
export function newContainerId(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('hex');
}
