import { unlockKeyWrapping } from '@skep/ca';
import type { Random } from '@skep/platform';
import { type KeyWrapping, noWrapping } from '@skep/raft';
import type { NodeIdentityStore } from '../identity/index.js';

/** A change of what protects Raft's data key, to be carried out before it is settled. */
export interface WrappingChange {
  wrapping: KeyWrapping;
  /** What lay open on disk must not be used on: a new data key, too. */
  rotate: boolean;
}

/** Keeps this manager's keys on disk under the swarm's unlock key (wire-raft.md 7.2). */
export class KeyKeeper {
  readonly #identity: NodeIdentityStore;
  readonly #random: Random;

  constructor(identity: NodeIdentityStore, random: Random) {
    this.#identity = identity;
    this.#random = random;
  }

  /**
   * How Raft's data key is wrapped now. Where a crash interrupted a change, it may still be wrapped in the way before:
   * what this gives fits both, and wraps in the new one.
   */
  get wrapping(): KeyWrapping {
    const { previousUnlockKey, protection } = this.#identity;
    const wrapping = this.#wrappingOf(protection.unlockKey);
    if (!previousUnlockKey) return wrapping;
    const before = this.#wrappingOf(previousUnlockKey.unlockKey);
    if (before.name !== wrapping.name) return { ...wrapping, before };
    return this.#wrappingOf(protection.unlockKey, previousUnlockKey.unlockKey);
  }

  /**
   * Takes over the unlock key of a version of the cluster, and has `rewrap` bring Raft's key under it. Also
   * ends a change that a crash interrupted.
   */
  async protect(
    unlockKey: Uint8Array | undefined,
    version: bigint,
    rewrap: (change: WrappingChange) => Promise<void>,
  ): Promise<void> {
    const { replaces, locksNow } = await this.#identity.protect({ unlockKey, version });
    if (!replaces && !this.#identity.previousUnlockKey) return;
    await rewrap({ wrapping: this.wrapping, rotate: locksNow });
    await this.#identity.settleProtection();
  }

  /** Unwraps with either, and wraps with the first. */
  #wrappingOf(unlockKey: Uint8Array | undefined, previous?: Uint8Array): KeyWrapping {
    if (!unlockKey) return noWrapping;
    return unlockKeyWrapping([unlockKey, ...(previous ? [previous] : [])], this.#random);
  }
}
