import { Code, RpcError } from '@skep/platform';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

interface Named {
  readonly id: string;
  name: string;
}

/** All containers by id and by name, with the look-ups and refusals of Docker. */
export class ContainerDirectory<T extends Named> {
  readonly #byId = new Map<string, T>();
  readonly #idByName = new Map<string, string>();

  get size(): number {
    return this.#byId.size;
  }

  all(): T[] {
    return [...this.#byId.values()];
  }

  byId(id: string): T | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): T | undefined {
    return this.#byId.get(this.#idByName.get(name) ?? '');
  }

  /** Takes a name for an id before the container exists, so that two creates cannot both win. */
  reserve(name: string, id: string): void {
    checkName(name);
    const holder = this.#idByName.get(name);
    if (holder !== undefined && holder !== id) {
      throw new RpcError(
        Code.ALREADY_EXISTS,
        `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    }
    this.#idByName.set(name, id);
  }

  isFree(name: string): boolean {
    return !this.#idByName.has(name);
  }

  release(name: string, id: string): void {
    if (this.#idByName.get(name) === id) this.#idByName.delete(name);
  }

  /** Adds a container whose name was reserved for it. */
  add(container: T): void {
    this.reserve(container.name, container.id);
    this.#byId.set(container.id, container);
  }

  remove(container: T): void {
    this.#byId.delete(container.id);
    this.release(container.name, container.id);
  }

  /**
   * By full id, name (with or without slash), or unique prefix of the id, in this order as Docker
   * does.
   */
  find(reference: string): T {
    const name = reference.startsWith('/') ? reference.slice(1) : reference;
    const exact = this.#byId.get(reference) ?? this.byName(name);
    if (exact) return exact;
    if (reference === '') {
      throw new RpcError(Code.INVALID_ARGUMENT, 'invalid name or ID supplied: ""');
    }
    const matches = this.all().filter((container) => container.id.startsWith(reference));
    if (matches.length > 1) {
      throw new RpcError(
        Code.INVALID_ARGUMENT,
        `multiple IDs found with provided prefix: ${reference}`,
      );
    }
    const match = matches[0];
    if (!match) throw new RpcError(Code.NOT_FOUND, `No such container: ${reference}`);
    return match;
  }
}

/** Refuses a name that Docker refuses. */
export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new RpcError(
    Code.INVALID_ARGUMENT,
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}
