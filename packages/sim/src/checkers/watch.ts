import type { Change, Commit, ReadView } from '@skep/store';
import { must } from '../engine/index.js';

/** All tables that a store has. */
const TABLES = [
  ...(['cluster', 'config', 'extension', 'network', 'node'] as const),
  ...(['resource', 'secret', 'service', 'task', 'volume'] as const),
];

/**
 * Follows one store's feed of changes and holds it to what a watch promises: in order, each change once, none
 * left out, never back in time; and what it adds up to is what the store shows.
 */
export class WatchChecker {
  readonly #machine: string;
  readonly #mirror = new Map<string, object>();
  readonly #versions = new Map<string, { version: bigint; index: bigint }>();
  #lastIndex = 0n;

  constructor(machine: string) {
    this.#machine = machine;
  }

  commit({ index, changes }: Commit): void {
    const isRestore = index === 0n;
    must(
      isRestore || index > this.#lastIndex,
      'watch-order',
      () => `${this.#machine}: commit ${index} after ${this.#lastIndex}`,
    );
    if (!isRestore) this.#lastIndex = index;
    for (const change of changes) this.#follow(change, index);
  }

  #follow(change: Change, index: bigint): void {
    const { table, object, kind } = change;
    const key = `${table}/${object.id}`;
    const held = this.#mirror.get(key);
    const expected = kind === 'create' ? undefined : (change.before ?? object);
    must(
      held === expected,
      'watch-gapless',
      () => `${this.#machine}: ${kind} of ${key} does not follow the change before it`,
    );
    this.#checkVersion(key, change, index);
    if (kind === 'remove') this.#mirror.delete(key);
    else this.#mirror.set(key, object);
  }

  #checkVersion(key: string, { kind, object }: Change, index: bigint): void {
    const version = object.meta.version.index;
    const newest = this.#versions.get(key);
    const mayRepeat = kind === 'remove' || index === 0n || newest?.index === index;
    must(
      newest === undefined || version > newest.version || (version === newest.version && mayRepeat),
      'watch-forward',
      () =>
        `${this.#machine}: ${kind} of ${key} goes from version ${newest?.version} to ${version}`,
    );
    this.#versions.set(key, { version, index });
  }

  /** The feed so far adds up to `view`. */
  check(view: ReadView): void {
    let count = 0;
    for (const table of TABLES) {
      for (const object of view.all(table)) {
        count++;
        must(
          this.#mirror.get(`${table}/${object.id}`) === object,
          'watch-gapless',
          () => `${this.#machine}: the feed never told of ${table}/${object.id} as it is`,
        );
      }
    }
    must(
      count === this.#mirror.size,
      'watch-gapless',
      () => `${this.#machine}: the feed holds ${this.#mirror.size} objects, the store ${count}`,
    );
  }
}
