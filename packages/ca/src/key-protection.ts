import { timingSafeEqual } from 'node:crypto';
import { Code, RpcError } from '@skep/platform';

/**
 * How a node's private key is kept at rest: as it is, or (autolock) encrypted under an unlock
 * key.
 */
export interface KeyProtection {
  /** 32 bytes; undefined: not encrypted. */
  unlockKey: Uint8Array | undefined;
  /** `Cluster.meta.version.index` the unlock key is of; 0 before there is any. */
  version: bigint;
}

/** Nothing encrypted: a worker's, and a manager's while autolock is off. */
export const NO_PROTECTION: KeyProtection = { unlockKey: undefined, version: 0n };

/** What a candidate does to the protection there is. */
export interface ProtectionChange {
  /** The candidate takes over. */
  replaces: boolean;
  /**
   * What lay open until now is locked by it: keys that were readable on disk must not be used on.
   */
  locksNow: boolean;
}

/**
 * The update rule of managers (wire-raft.md 7.2): a newer version with another key takes over, an
 * older version is ignored. Throws FAILED_PRECONDITION for another key under the same version.
 */
export function compareProtection(
  current: KeyProtection,
  candidate: KeyProtection,
): ProtectionChange {
  const isSameKey = equalKeys(current.unlockKey, candidate.unlockKey);
  if (!isSameKey && candidate.version === current.version) {
    const text = `another unlock key under the same version, ${current.version}`;
    throw new RpcError(Code.FAILED_PRECONDITION, text);
  }
  const replaces = !isSameKey && candidate.version > current.version;
  return { replaces, locksNow: replaces && current.unlockKey === undefined };
}

function equalKeys(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  if (!left || !right) return left === right;
  return left.length === right.length && timingSafeEqual(left, right);
}
