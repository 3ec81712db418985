/** The kinds of object that need something allocated, in the order they are looked at. */
export const KINDS = ['network', 'service', 'node', 'task'] as const;
export type Kind = (typeof KINDS)[number];

type IdSets = Record<Kind, Set<string>>;

function emptySets(): IdSets {
  return { network: new Set(), service: new Set(), node: new Set(), task: new Set() };
}

/** What must be looked at, and what was looked at in vain and waits until something changes. */
export class Worklist {
  #dirty = emptySets();
  #waiting = emptySets();

  mark(kind: Kind, id: string): void {
    this.#waiting[kind].delete(id);
    this.#dirty[kind].add(id);
  }

  /** Sets an object aside until {@link wake}. */
  wait(kind: Kind, id: string): void {
    this.#waiting[kind].add(id);
  }

  forget(kind: Kind, id: string): void {
    this.#dirty[kind].delete(id);
    this.#waiting[kind].delete(id);
  }

  /** Marks all that waits; false when nothing did. */
  wake(): boolean {
    const woken = this.hasWaiting();
    for (const kind of KINDS) {
      for (const id of this.#waiting[kind]) this.#dirty[kind].add(id);
      this.#waiting[kind].clear();
    }
    return woken;
  }

  hasWaiting(): boolean {
    return KINDS.some((kind) => this.#waiting[kind].size > 0);
  }

  /** The kind to look at next: nothing is given to a task before its service and networks have theirs. */
  next(): Kind | undefined {
    return KINDS.find((kind) => this.#dirty[kind].size > 0);
  }

  /** Takes out up to `limit` objects of a kind, oldest mark first. */
  take(kind: Kind, limit: number): string[] {
    const taken: string[] = [];
    for (const id of this.#dirty[kind]) {
      if (taken.length === limit) break;
      taken.push(id);
    }
    for (const id of taken) this.#dirty[kind].delete(id);
    return taken;
  }

  clear(): void {
    this.#dirty = emptySets();
    this.#waiting = emptySets();
  }
}
