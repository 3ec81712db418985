import { create } from '@bufbuild/protobuf';
import { type GenericResource, GenericResourceSchema } from '@skep/wire/swarmkit';

/**
 * Resources of kinds the operator made up: a count of each kind, or a set of named pieces. A task asks for a
 * count; where the node has named pieces it gets that many names.
 */
export class GenericStock {
  readonly #counts = new Map<string, number>();
  readonly #names = new Map<string, Set<string>>();

  constructor(resources: readonly GenericResource[] = []) {
    this.put(resources);
  }

  /** The kinds of which less is here than is asked for. */
  lacks(wanted: readonly GenericResource[]): string[] {
    const free = (kind: string) => this.#names.get(kind)?.size ?? this.#counts.get(kind) ?? 0;
    return totals(wanted).flatMap(({ kind, count }) => (free(kind) < count ? [kind] : []));
  }

  /** Picks what a task gets of what it asks for, without taking it. */
  pick(wanted: readonly GenericResource[]): GenericResource[] {
    return totals(wanted).flatMap(({ kind, count }) => {
      const names = this.#names.get(kind);
      if (!names) return [discrete(kind, count)];
      return [...names].slice(0, count).map((name) => named(kind, name));
    });
  }

  /** Takes what was picked. What is not here is not taken: the node may have lost it. */
  take(assigned: readonly GenericResource[]): void {
    for (const { resource } of assigned) {
      if (resource.case === 'namedResourceSpec') {
        this.#names.get(resource.value.kind)?.delete(resource.value.value);
      } else if (resource.case === 'discreteResourceSpec') {
        this.#add(resource.value.kind, -Number(resource.value.value));
      }
    }
  }

  /** Adds resources. */
  put(resources: readonly GenericResource[]): void {
    for (const { resource } of resources) {
      if (resource.case === 'namedResourceSpec') {
        const { kind, value } = resource.value;
        const names = this.#names.get(kind) ?? new Set();
        this.#names.set(kind, names.add(value));
      } else if (resource.case === 'discreteResourceSpec') {
        this.#add(resource.value.kind, Number(resource.value.value));
      }
    }
  }

  #add(kind: string, count: number): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
  }
}

/** How much of each kind is asked for. A named request counts as one piece of its kind. */
function totals(wanted: readonly GenericResource[]): { kind: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { resource } of wanted) {
    if (resource.case === undefined) continue;
    const { kind } = resource.value;
    const count = resource.case === 'discreteResourceSpec' ? Number(resource.value.value) : 1;
    counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  return [...counts].map(([kind, count]) => ({ kind, count }));
}

function discrete(kind: string, count: number): GenericResource {
  const value = { kind, value: BigInt(count) };
  return create(GenericResourceSchema, { resource: { case: 'discreteResourceSpec', value } });
}

function named(kind: string, name: string): GenericResource {
  const value = { kind, value: name };
  return create(GenericResourceSchema, { resource: { case: 'namedResourceSpec', value } });
}
