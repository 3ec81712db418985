import { invariant } from '@skep/platform';
import { Heap } from './heap.js';
import type { NodeInfo } from './node-info.js';

/**
 * All nodes, those with the fewest tasks at hand: a few tasks find their nodes without a look at every
 * node. A binary heap that is kept while nodes change.
 */
export class NodeOrder {
  readonly #heap: NodeInfo[] = [];
  readonly #places = new Map<NodeInfo, number>();

  get size(): number {
    return this.#heap.length;
  }

  add(node: NodeInfo): void {
    this.#set(this.#heap.length, node);
    this.moved(node);
  }

  remove(node: NodeInfo): void {
    const at = this.#places.get(node);
    if (at === undefined) return;
    this.#places.delete(node);
    const last = this.#heap.pop();
    if (!last || last === node) return;
    this.#set(at, last);
    this.moved(last);
  }

  /** To be called when the number of a node's tasks has changed. */
  moved(node: NodeInfo): void {
    const at = this.#places.get(node);
    if (at !== undefined && this.#rise(node, at) === at) this.#sink(node, at);
  }

  /** The nodes in order, the fewest tasks first. They must not change while this is read. */
  *inOrder(): Generator<NodeInfo> {
    const heap = this.#heap;
    if (heap.length === 0) return;
    const front = new Heap([0], (a, b) => isLess(heap[a]!, heap[b]!));
    for (let at = front.shift(); at !== undefined; at = front.shift()) {
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length) front.push(child);
      yield heap[at]!;
    }
  }

  #rise(node: NodeInfo, from: number): number {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above];
      invariant(other, 'a heap without a parent', { at });
      if (!isLess(node, other)) break;
      this.#set(at, other);
      at = above;
    }
    this.#set(at, node);
    return at;
  }

  #sink(node: NodeInfo, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isLess(heap[child + 1]!, heap[child]!)) child++;
      if (!isLess(heap[child]!, node)) break;
      this.#set(at, heap[child]!);
      at = child;
    }
    this.#set(at, node);
  }

  #set(at: number, node: NodeInfo): void {
    if (this.#heap[at] === node) return;
    this.#heap[at] = node;
    this.#places.set(node, at);
  }
}

/** Fewest tasks first, then in the order in which the nodes were seen. */
function isLess(a: NodeInfo, b: NodeInfo): boolean {
  return a.active !== b.active ? a.active < b.active : a.order < b.order;
}
