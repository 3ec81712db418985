import { errorMessage, type Logger } from '@skep/platform';
import type { HeldPort, PortHolder } from '../ports/holder.js';
import { ANY_ADDRESS } from '../rules/host-table.js';
import type { PortProtocol } from '../tables/contract.js';
import { partsOfKey, portKey } from './port-key.js';

/** Holds the mesh's ports on the host, so that nobody else takes one without being told. */
export class PortKeeper {
  readonly #holder: PortHolder;
  readonly #logger: Logger;
  readonly #held = new Map<string, HeldPort>();
  /** Ports that another program of the host has, too. */
  readonly #shadowed = new Set<string>();

  constructor(options: { holder: PortHolder; logger: Logger }) {
    this.#holder = options.holder;
    this.#logger = options.logger;
  }

  /** Holds these ports, `protocol . port`, and no others. What could not be had is tried again. */
  async keep(keys: readonly string[]): Promise<void> {
    const wanted = new Set(keys);
    for (const key of [...this.#held.keys(), ...this.#shadowed]) {
      if (!wanted.has(key)) this.release(key);
    }
    for (const key of wanted) await this.hold(key);
  }

  async hold(key: string): Promise<void> {
    if (this.#held.has(key)) return;
    const { protocol, port } = partsOfKey(key);
    try {
      this.#held.set(key, await this.#holder.hold(protocol, ANY_ADDRESS, port));
      this.#shadowed.delete(key);
    } catch (error) {
      // As under Docker, the service goes first; the program that listens there is hidden.
      if (this.#shadowed.has(key)) return;
      this.#shadowed.add(key);
      this.#logger.warn(
        { port: `${port}/${protocol}`, error: errorMessage(error) },
        'a published port hides another program of this host that listens on it',
      );
    }
  }

  release(key: string): void {
    this.#held.get(key)?.release();
    this.#held.delete(key);
    this.#shadowed.delete(key);
  }

  releaseAll(): void {
    for (const key of [...this.#held.keys(), ...this.#shadowed]) this.release(key);
  }

  /** Sentences for `docker info`. */
  warnings(): string[] {
    return [...this.#shadowed].map((key) => {
      const { protocol, port } = partsOfKey(key);
      return hidesAnother(protocol, port);
    });
  }

  hidesAnother(protocol: PortProtocol, port: number): boolean {
    return this.#shadowed.has(portKey(protocol, port));
  }
}

/** In the words that users read. */
export function hidesAnother(protocol: PortProtocol, port: number): string {
  return `published port ${port}/${protocol} hides another program of this host that listens on it`;
}
