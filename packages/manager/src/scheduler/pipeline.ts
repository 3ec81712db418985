import type { TaskObject } from '@skep/wire';
import { type Check, FILTERS, type Filter, plural } from './filters.js';
import { REFUSAL_DETAILS_MAX } from './limits.js';
import type { NodeInfo } from './node-info.js';

/** Why a task finds no node. */
export interface Explanation {
  /** In Docker's words, with how many nodes each filter refused. */
  reasons: readonly string[];
  /** What exactly is amiss, and on how many nodes. */
  details: readonly string[];
}

/** The filters that matter to tasks like one, in order. */
export class Pipeline {
  readonly #task: TaskObject;
  readonly #stages: { filter: Filter; check: Check }[] = [];

  constructor(task: TaskObject) {
    this.#task = task;
    for (const filter of FILTERS) {
      const check = filter.checkFor(task);
      if (check) this.#stages.push({ filter, check });
    }
  }

  accepts(node: NodeInfo): boolean {
    for (const { check } of this.#stages) if (!check(node)) return false;
    return true;
  }

  /**
   * Why none of these nodes is taken, the most frequent reason first; nothing when there are none.
   */
  explain(nodes: Iterable<NodeInfo>): Explanation {
    const refused = new Map<Filter, number>();
    const details = new Map<string, number>();
    for (const node of nodes) {
      const filter = this.#stages.find(({ check }) => !check(node))?.filter;
      if (!filter) continue;
      count(refused, filter);
      for (const detail of filter.shortfallOf?.(this.#task)(node) ?? []) count(details, detail);
    }
    return {
      reasons: byCount(refused).map(([filter, nodes]) => filter.explain(nodes)),
      details: byCount(details)
        .slice(0, REFUSAL_DETAILS_MAX)
        .map(([detail, nodes]) => `${detail} on ${plural(nodes)}`),
    };
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function byCount<K>(counts: Map<K, number>): [K, number][] {
  return [...counts].sort(([, a], [, b]) => b - a);
}
