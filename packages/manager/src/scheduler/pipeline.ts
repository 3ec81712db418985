import type { TaskObject } from '@skep/wire';
import { type Check, FILTERS, type Filter } from './filters.js';
import type { NodeInfo } from './node-info.js';

/** The filters that matter to tasks like one, in order. */
export class Pipeline {
  readonly #stages: { filter: Filter; check: Check }[] = [];

  constructor(task: TaskObject) {
    for (const filter of FILTERS) {
      const check = filter.checkFor(task);
      if (check) this.#stages.push({ filter, check });
    }
  }

  accepts(node: NodeInfo): boolean {
    for (const { check } of this.#stages) if (!check(node)) return false;
    return true;
  }

  /** Why none of these nodes is taken, the most frequent reason first; '' when there are no nodes. */
  explain(nodes: Iterable<NodeInfo>): string {
    const refused = new Map<Filter, number>();
    for (const node of nodes) {
      const stage = this.#stages.find(({ check }) => !check(node));
      if (stage) refused.set(stage.filter, (refused.get(stage.filter) ?? 0) + 1);
    }
    return [...refused]
      .sort(([, a], [, b]) => b - a)
      .map(([filter, count]) => filter.explain(count))
      .join('; ');
  }
}
