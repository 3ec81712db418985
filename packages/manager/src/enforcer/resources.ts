import type { GenericResource, Resources } from '@skep/wire/swarmkit';

/** What is left of a node's resources while its tasks are counted against them. */
export class Remaining {
  #nanoCpus: bigint;
  #memoryBytes: bigint;
  readonly #discrete = new Map<string, bigint>();
  readonly #named = new Set<string>();

  constructor(resources: Resources) {
    this.#nanoCpus = resources.nanoCpus;
    this.#memoryBytes = resources.memoryBytes;
    for (const { resource } of resources.generic) {
      if (resource.case === 'discreteResourceSpec') {
        const { kind, value } = resource.value;
        this.#discrete.set(kind, (this.#discrete.get(kind) ?? 0n) + value);
      } else if (resource.case === 'namedResourceSpec') {
        this.#named.add(namedKey(resource.value));
      }
    }
  }

  /** Takes what a task reserved and was given; false, taking nothing, when that is not there. */
  take(reserved: Resources | undefined, generic: readonly GenericResource[]): boolean {
    const nanoCpus = reserved?.nanoCpus ?? 0n;
    const memoryBytes = reserved?.memoryBytes ?? 0n;
    const lacksCpus = nanoCpus > 0n && nanoCpus > this.#nanoCpus;
    const lacksMemory = memoryBytes > 0n && memoryBytes > this.#memoryBytes;
    if (lacksCpus || lacksMemory) return false;
    if (!generic.every((resource) => this.#has(resource))) return false;
    this.#nanoCpus -= nanoCpus;
    this.#memoryBytes -= memoryBytes;
    for (const resource of generic) this.#claim(resource);
    return true;
  }

  #has({ resource }: GenericResource): boolean {
    if (resource.case === 'namedResourceSpec') return this.#named.has(namedKey(resource.value));
    if (resource.case !== 'discreteResourceSpec') return true;
    return (this.#discrete.get(resource.value.kind) ?? 0n) >= resource.value.value;
  }

  #claim({ resource }: GenericResource): void {
    if (resource.case === 'namedResourceSpec') this.#named.delete(namedKey(resource.value));
    if (resource.case !== 'discreteResourceSpec') return;
    const { kind, value } = resource.value;
    this.#discrete.set(kind, (this.#discrete.get(kind) ?? 0n) - value);
  }
}

function namedKey({ kind, value }: { kind: string; value: string }): string {
  return `${kind}=${value}`;
}
