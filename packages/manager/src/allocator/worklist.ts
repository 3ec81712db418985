/** The kinds of object that need something allocated, in the order they are looked at. */
export const KINDS = ['network', 'service', 'node', 'task'] as const;
export type Kind = (typeof KINDS)[number];

type ByKind<T> = Record<Kind, T>;

function emptySets(): ByKind<Set<string>> {
  return { network: new Set(), service: new Set(), node: new Set(), task: new Set() };
}

function emptyMaps(): ByKind<Map<string, string>> {
  return { network: new Map(), service: new Map(), node: new Map(), task: new Map() };
}

/** What must be looked at, and what was looked at in vain and waits until something changes. */
export class Worklist {
  #dirty = emptySets();
  /** Ids, and what each of them lacks. */
  #waiting = emptyMaps();

  mark(kind: Kind, id: string): void {
    this.#waiting[kind].delete(id);
    this.#dirty[kind].add(id);
  }

  /** Sets an object aside until {@link wake}. */
  wait(kind: Kind, id: string, reason: string): void {
    this.#waiting[kind].set(id, reason);
  }

  /** What an object that was set aside lacks. */
  lackOf(kind: Kind, id: string): string | undefined {
    return this.#waiting[kind].get(id);
  }

  forget(kind: Kind, id: string): void {
    this.#dirty[kind].delete(id);
    this.#waiting[kind].delete(id);
  }

  /** Marks all that waits; false when nothing did. */
  wake(): boolean {
    const woken = this.hasWaiting();
    for (const kind of KINDS) {
      for (const id of this.#waiting[kind].keys()) this.#dirty[kind].add(id);
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
    this.#waiting = emptyMaps();
  }
}
