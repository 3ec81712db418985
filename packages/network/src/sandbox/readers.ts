import { errorMessage, type Logger } from '@skep/platform';
import { attachedSandbox } from './attached.js';
import type { AttachedSandbox, SandboxReader } from './contract.js';
import type { Sandbox } from './registry.js';

/** Tells those that serve containers inside their namespaces of what happens to them. */
export class SandboxReaders {
  readonly #logger: Logger;
  readonly #readers: SandboxReader[] = [];
  /** Containers that the readers know of, by id. */
  readonly #told = new Map<string, AttachedSandbox>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** One that comes late is told of all that the others know; what it cannot serve goes on without it. */
  add(reader: SandboxReader): void {
    this.#readers.push(reader);
    for (const sandbox of this.#told.values()) {
      reader.added(sandbox).catch((error: unknown) => {
        const { containerId } = sandbox;
        const fields = { containerId, reader: reader.name, error: errorMessage(error) };
        this.#logger.warn(fields, 'a container is not served in its namespace');
      });
    }
  }

  /** Name servers of a container on swarm networks; empty: nobody serves names. */
  get nameservers(): string[] {
    return this.#readers.flatMap(({ nameserver }) => nameserver ?? []);
  }

  /** Rejects when a reader cannot serve the container: it must not start then. */
  async added(sandbox: Sandbox): Promise<void> {
    const attached = attachedSandbox(sandbox);
    if (!attached) return;
    this.#told.set(attached.containerId, attached);
    await Promise.all(this.#readers.map((reader) => reader.added(attached)));
  }

  /** It was connected to a network, taken off one, or is on none any more. */
  async changed(sandbox: Sandbox): Promise<void> {
    const { containerId } = sandbox.request;
    const attached = attachedSandbox(sandbox);
    if (!attached) return this.removed(containerId);
    if (!this.#told.has(containerId)) return this.added(sandbox);
    this.#told.set(containerId, attached);
    await Promise.all(this.#readers.map((reader) => reader.changed(attached)));
  }

  /** Never rejects: what is left of a reader goes with the namespace. */
  async removed(containerId: string): Promise<void> {
    if (!this.#told.delete(containerId)) return;
    await Promise.all(this.#readers.map((reader) => this.#remove(reader, containerId)));
  }

  async #remove(reader: SandboxReader, containerId: string): Promise<void> {
    try {
      await reader.removed(containerId);
    } catch (error) {
      const fields = { containerId, reader: reader.name, error: errorMessage(error) };
      this.#logger.warn(fields, 'leftovers in the namespace of a container');
    }
  }
}
