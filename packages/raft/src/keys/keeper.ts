import type { Disk, Random } from '@skep/platform';
import { type KeyWrapping, saveKeys, withNewKey, withoutOldKeys } from './key-file.js';
import { KeyRing } from './ring.js';

export interface KeyKeeperOptions {
  disk: Disk;
  /** The file of the keys. */
  path: string;
  random: Random;
  /** What log and snapshots are written under; changes with the file. */
  keys: KeyRing;
  wrapping: KeyWrapping;
}

/**
 * Changes the keys and their file, one change at a time: first the file, then what is written under
 * them.
 */
export class KeyKeeper {
  readonly #options: KeyKeeperOptions;
  #wrapping: KeyWrapping;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KeyKeeperOptions) {
    this.#options = options;
    this.#wrapping = options.wrapping;
  }

  /** Runs `change` when no other change is under way. */
  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(change);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Wraps the keys in another way; `rotate` puts a new one before them. To be called in turn. */
  async rewrap(wrapping: KeyWrapping, rotate: boolean): Promise<void> {
    const { keys, random } = this.#options;
    const changed = rotate ? withNewKey(random, keys) : new KeyRing(keys.secrets);
    await this.#save(changed, wrapping);
    this.#wrapping = wrapping;
  }

  /**
   * Forgets all keys but the current one, under which everything must be by now. To be called in
   * turn.
   */
  async dropOldKeys(): Promise<void> {
    await this.#save(withoutOldKeys(this.#options.keys), this.#wrapping);
  }

  async #save(changed: KeyRing, wrapping: KeyWrapping): Promise<void> {
    const { disk, path, keys } = this.#options;
    await saveKeys(disk, path, changed, wrapping);
    keys.become(changed);
  }
}
