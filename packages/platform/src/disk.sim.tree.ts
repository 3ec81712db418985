import { dirname, resolve, sep } from 'node:path';
import { SimFileNode } from './disk.sim.file.js';
import { type Random, randomBelow } from './random.js';

export type SimNode = SimFileNode | SimDirectory;

/**
 * A simulated directory: the names programs see, and those that would be found after a power cut.
 */
export class SimDirectory {
  readonly seen = new Map<string, SimNode>();
  readonly durable = new Map<string, SimNode>();
}

interface NameChange {
  directory: SimDirectory;
  name: string;
  node: SimNode | undefined;
}

/** An error as Node's file system functions throw it. */
export function diskError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, path });
}

/** The names of a simulated disk. */
export class SimTree {
  readonly #root = new SimDirectory();
  #unsynced: NameChange[] = [];

  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root;
    for (const name of namesOf(path)) {
      if (!(node instanceof SimDirectory)) return undefined;
      node = node.seen.get(name);
    }
    return node;
  }

  file(operation: string, path: string): SimFileNode {
    const node = this.find(path);
    if (node instanceof SimFileNode) return node;
    throw diskError(node ? 'EISDIR' : 'ENOENT', operation, path);
  }

  directory(operation: string, path: string): SimDirectory {
    const node = this.find(path);
    if (node instanceof SimDirectory) return node;
    throw diskError(node ? 'ENOTDIR' : 'ENOENT', operation, path);
  }

  /** Gives a node a name, or takes the name away; not durable yet. */
  setName(operation: string, path: string, node: SimNode | undefined): void {
    const directory = this.directory(operation, dirname(resolve(path)));
    const name = namesOf(path).at(-1) ?? '';
    if (node) directory.seen.set(name, node);
    else directory.seen.delete(name);
    this.#unsynced.push({ directory, name, node });
  }

  makeDirectories(path: string): void {
    let directory = this.#root;
    for (const name of namesOf(path)) {
      const node: SimNode = directory.seen.get(name) ?? new SimDirectory();
      if (!(node instanceof SimDirectory)) throw diskError('EEXIST', 'mkdir', path);
      if (!directory.seen.has(name)) {
        directory.seen.set(name, node);
        directory.durable.set(name, node);
      }
      directory = node;
    }
  }

  sync(directory: SimDirectory): void {
    const [mine, others] = [[] as NameChange[], [] as NameChange[]];
    for (const change of this.#unsynced)
      (change.directory === directory ? mine : others).push(change);
    mine.forEach(makeDurable);
    this.#unsynced = others;
  }

  /**
   * Goes back to the durable names; given chance, the first few changes had been journaled already.
   */
  crash(random: Random | undefined): void {
    const kept = random ? randomBelow(random, this.#unsynced.length + 1) : 0;
    this.#unsynced.slice(0, kept).forEach(makeDurable);
    this.#unsynced = [];
    for (const node of walk(this.#root, 'durable')) {
      if (node instanceof SimFileNode) {
        node.crash(random);
        continue;
      }
      node.seen.clear();
      for (const [name, child] of node.durable) node.seen.set(name, child);
    }
  }

  /** Files by their durable names, in order of their paths, and how much of each is there and written to. */
  durableFiles(): { path: string; size: number; written: number }[] {
    const files: { path: string; size: number; written: number }[] = [];
    const visit = (directory: SimDirectory, parent: string) => {
      for (const [name, node] of directory.durable) {
        const path = `${parent}/${name}`;
        if (node instanceof SimDirectory) visit(node, path);
        else files.push({ path, size: node.durableSize, written: node.durableWritten });
      }
    };
    visit(this.#root, '');
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  usedBytes(): number {
    let bytes = 0;
    for (const node of walk(this.#root, 'seen')) {
      if (node instanceof SimFileNode) bytes += node.size;
    }
    return bytes;
  }
}

function namesOf(path: string): string[] {
  return resolve(path)
    .split(sep)
    .filter((name) => name !== '');
}

function makeDurable({ directory, name, node }: NameChange): void {
  if (node) directory.durable.set(name, node);
  else directory.durable.delete(name);
}

function* walk(node: SimNode, names: 'seen' | 'durable'): Generator<SimNode> {
  yield node;
  if (!(node instanceof SimDirectory)) return;
  for (const child of [...node[names].values()]) yield* walk(child, names);
}
