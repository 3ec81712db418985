import type { NodeObject, TaskObject } from '@skep/wire';
import { revisionKey } from './demand.js';
import { Heap } from './heap.js';
import { FAILURES_MANY } from './limits.js';
import type { NodeInfo } from './node-info.js';

/**
 * Puts one more task on a node; false when the node takes no further ones. Called once for each task.
 */
export type Use = (node: NodeInfo) => boolean;

/** Nodes to choose from, best first; a tree of them where there are placement preferences. */
export interface Choice {
  /** Tasks of the service below here, those on nodes that take no more included. */
  readonly count: number;
  /** Uses the best node; false when none is left. */
  take(use: Use): boolean;
}

/** Builds the tree of choices for tasks like this one. `accepts` says which nodes may be taken. */
export function choices(
  task: TaskObject,
  nodes: readonly NodeInfo[],
  accepts: (node: NodeInfo) => boolean,
  nowMs: number,
): Choice {
  const keys = spreadKeys(task);
  const build = (group: readonly NodeInfo[], depth: number): Choice => {
    const key = keys[depth];
    if (!key) return new Leaf(task, group, accepts, nowMs);
    const children = [...groupBy(group, key).values()].map((part) => build(part, depth + 1));
    return new Fork(children);
  };
  return build(nodes, 0);
}

type Key = (node: NodeObject) => string;

const NODE_LABELS = 'node.labels.';
const ENGINE_LABELS = 'engine.labels.';

/** What the preferences spread over, in order; those that name nothing known are passed over. */
export function spreadKeys(task: TaskObject): Key[] {
  const keys: Key[] = [];
  for (const { preference } of task.spec.placement?.preferences ?? []) {
    if (preference.case !== 'spread') continue;
    const { spreadDescriptor } = preference.value;
    const folded = spreadDescriptor.toLowerCase();
    if (folded.startsWith(NODE_LABELS)) {
      const name = spreadDescriptor.slice(NODE_LABELS.length);
      keys.push((node) => label(node.spec.annotations.labels, name));
    } else if (folded.startsWith(ENGINE_LABELS)) {
      const name = spreadDescriptor.slice(ENGINE_LABELS.length);
      keys.push((node) => label(node.description?.engine?.labels, name));
    }
  }
  return keys;
}

/** Nodes without the label form a branch of their own. */
function label(labels: Record<string, string> | undefined, name: string): string {
  return labels && Object.hasOwn(labels, name) ? (labels[name] ?? '') : '';
}

function groupBy(nodes: readonly NodeInfo[], key: Key): Map<string, NodeInfo[]> {
  const groups = new Map<string, NodeInfo[]>();
  for (const node of nodes) {
    const value = key(node.node);
    const group = groups.get(value);
    if (group) group.push(node);
    else groups.set(value, [node]);
  }
  return groups;
}

/** Branches of one preference: the one with the fewest tasks is next. */
class Fork implements Choice {
  #children: Choice[];
  #count = 0;

  constructor(children: Choice[]) {
    this.#children = children;
    for (const child of children) this.#count += child.count;
  }

  get count(): number {
    return this.#count;
  }

  take(use: Use): boolean {
    while (this.#children.length > 0) {
      const fewest = this.#children.reduce((a, b) => (b.count < a.count ? b : a));
      if (fewest.take(use)) {
        this.#count++;
        return true;
      }
      this.#children = this.#children.filter((child) => child !== fewest);
    }
    return false;
  }
}

interface Entry {
  node: NodeInfo;
  /** Recent failures where they are many, else 0: a few do not count against a node. */
  failures: number;
  /** Tasks of the service on the node; kept here, for it is compared far more often than it changes. */
  ofService: number;
}

/** Nodes: fewest failures, then fewest tasks of the service, then fewest tasks at all. */
class Leaf implements Choice {
  readonly #heap: Heap<Entry>;
  #count = 0;

  constructor(
    task: TaskObject,
    nodes: readonly NodeInfo[],
    accepts: (node: NodeInfo) => boolean,
    nowMs: number,
  ) {
    const { serviceId } = task;
    const entries: Entry[] = [];
    for (const node of nodes) {
      const ofService = node.activeOfService(serviceId);
      this.#count += ofService;
      if (!accepts(node)) continue;
      entries.push({ node, ofService, failures: manyFailures(task, node, nowMs) });
    }
    this.#heap = new Heap(entries, isBefore);
  }

  get count(): number {
    return this.#count;
  }

  take(use: Use): boolean {
    const best = this.#heap.first;
    if (!best) return false;
    const takesMore = use(best.node);
    this.#count++;
    best.ofService++;
    if (takesMore) this.#heap.firstChanged();
    else this.#heap.shift();
    return true;
  }
}

/** Recent failures of the task's kind on a node where they are many, else 0. */
export function manyFailures(task: TaskObject, { failures }: NodeInfo, nowMs: number): number {
  const count = failures.count(revisionKey(task), nowMs);
  return count >= FAILURES_MANY ? count : 0;
}

function isBefore(a: Entry, b: Entry): boolean {
  if (a.failures !== b.failures) return a.failures < b.failures;
  if (a.ofService !== b.ofService) return a.ofService < b.ofService;
  if (a.node.active !== b.node.active) return a.node.active < b.node.active;
  return a.node.order < b.node.order;
}
