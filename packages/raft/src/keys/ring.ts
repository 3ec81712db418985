import { invariant } from '@skep/platform';
import { DataKey } from './cipher.js';

/**
 * The data keys of a node: the one that all is written under now, and those before it that are
 * still needed.
 */
export class KeyRing {
  #keys: readonly Uint8Array[];
  #dataKeys: readonly DataKey[];

  /** @param keys the current key, then the old ones */
  constructor(keys: readonly Uint8Array[]) {
    invariant(keys.length > 0, 'a ring without a key');
    this.#keys = keys;
    this.#dataKeys = keys.map((key) => new DataKey(key));
  }

  get current(): DataKey {
    return this.#dataKeys[0]!;
  }

  /** Whether something may still be encrypted under an old key. */
  get hasOld(): boolean {
    return this.#keys.length > 1;
  }

  /** The key with this fingerprint; undefined when it is none of ours. */
  find(id: Uint8Array): DataKey | undefined {
    return this.#dataKeys.find((key) => Buffer.compare(key.id, id) === 0);
  }

  isCurrent(id: Uint8Array): boolean {
    return Buffer.compare(this.current.id, id) === 0;
  }

  /** The keys themselves, the current one first: for the file they are kept in. */
  get secrets(): readonly Uint8Array[] {
    return this.#keys;
  }

  /**
   * Takes over the keys of `other`: also whoever holds this ring writes and reads under those from
   * now on.
   */
  become(other: KeyRing): void {
    this.#keys = other.#keys;
    this.#dataKeys = other.#dataKeys;
  }
}
