import { isDeepStrictEqual } from 'node:util';
import type { KernelCommand, NamespacePath, TunnelEntries } from '../kernel/contract.js';
import type { TunnelEntry } from './entries.js';

/**
 * The entries of one network's tunnels: who wants which, and which the kernel is thought to have. An
 * address can pass from one owner to the next before the first is gone; the later one counts.
 */
export class EntryTable {
  readonly #namespace: NamespacePath;
  readonly #tunnels: ReadonlySet<string>;
  readonly #entriesOf = new Map<string, TunnelEntry[]>();
  /** By entry, who wants it, the latest last. */
  readonly #wanted = new Map<string, Map<string, TunnelEntry>>();
  readonly #standing = new Map<string, TunnelEntry>();
  readonly #changed = new Set<string>();

  constructor(namespace: NamespacePath, tunnels: readonly string[]) {
    this.#namespace = namespace;
    this.#tunnels = new Set(tunnels);
  }

  /** These, and no others, are what an owner wants. */
  set(owner: string, entries: readonly TunnelEntry[]): void {
    const before = this.#entriesOf.get(owner) ?? [];
    if (isDeepStrictEqual(before, entries)) return;
    for (const entry of before) this.#drop(owner, idOf(entry));
    if (entries.length === 0) this.#entriesOf.delete(owner);
    else this.#entriesOf.set(owner, [...entries]);
    for (const entry of entries) {
      const id = idOf(entry);
      const claims = this.#wanted.get(id) ?? new Map<string, TunnelEntry>();
      this.#wanted.set(id, claims.set(owner, entry));
      this.#changed.add(id);
    }
  }

  /** Takes over what the kernel really has; the next {@link changes} make up for the difference. */
  compare(standing: TunnelEntries): void {
    this.#standing.clear();
    for (const entry of entriesIn(standing)) {
      if (this.#tunnels.has(entry.link)) this.#standing.set(idOf(entry), entry);
    }
    for (const id of [...this.#standing.keys(), ...this.#wanted.keys()]) this.#changed.add(id);
  }

  /** What the kernel has to be told since the last time; it is thought to do as it is told. */
  changes(): KernelCommand[] {
    const commands = [...this.#changed].flatMap((id) => this.#change(id));
    this.#changed.clear();
    return commands;
  }

  #change(id: string): KernelCommand[] {
    const wanted = [...(this.#wanted.get(id)?.values() ?? [])].at(-1);
    const standing = this.#standing.get(id);
    if (wanted?.value === standing?.value) return [];
    if (wanted) {
      this.#standing.set(id, wanted);
      return [addition(this.#namespace, wanted)];
    }
    this.#standing.delete(id);
    return standing ? [removal(this.#namespace, standing)] : [];
  }

  #drop(owner: string, id: string): void {
    const claims = this.#wanted.get(id);
    claims?.delete(owner);
    if (claims?.size === 0) this.#wanted.delete(id);
    this.#changed.add(id);
  }
}

function idOf({ kind, link, key }: TunnelEntry): string {
  return `${kind} ${link} ${key}`;
}

function entriesIn({ neighbours, forwarding }: TunnelEntries): TunnelEntry[] {
  return [
    ...neighbours.map(({ link, address, mac }) => {
      return { kind: 'neighbour', link, key: address, value: mac } as const;
    }),
    ...forwarding.map(({ link, mac, tunnelAddress }) => {
      return { kind: 'forwarding', link, key: mac, value: tunnelAddress } as const;
    }),
  ];
}

function addition(namespace: NamespacePath, entry: TunnelEntry): KernelCommand {
  const { kind, link, key, value } = entry;
  return kind === 'neighbour'
    ? { op: 'neighbour-add', namespace, link, address: key, mac: value }
    : { op: 'fdb-add', namespace, link, mac: key, tunnelAddress: value };
}

function removal(namespace: NamespacePath, { kind, link, key }: TunnelEntry): KernelCommand {
  return kind === 'neighbour'
    ? { op: 'neighbour-remove', namespace, link, address: key }
    : { op: 'fdb-remove', namespace, link, mac: key };
}
