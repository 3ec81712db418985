import { Code, RpcError } from '@skep/platform';
import type { Change } from '@skep/store';
import type { NodeObject } from '@skep/wire';
import { whenAborted } from '../loop/when-aborted.js';
import { WAITING_MAX } from './limits.js';
import { isDecided } from './requests.js';

interface Waiter {
  resolve(node: NodeObject): void;
  reject(error: RpcError): void;
}

/** Callers that wait for a node's request to be decided. */
export class Waiters {
  readonly #byNode = new Map<string, Set<Waiter>>();
  #count = 0;

  /**
   * Resolves with the node once its request is decided. Rejects with CANCELED when `signal` aborts,
   * NOT_FOUND when the node is removed, RESOURCE_EXHAUSTED when too many wait.
   */
  async wait(nodeId: string, signal: AbortSignal): Promise<NodeObject> {
    if (this.#count >= WAITING_MAX) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'too many nodes wait for a certificate');
    }
    const waiters = this.#byNode.get(nodeId) ?? new Set<Waiter>();
    this.#byNode.set(nodeId, waiters);
    let waiter: Waiter | undefined;
    let forget = () => {};
    this.#count++;
    try {
      return await new Promise<NodeObject>((resolve, reject) => {
        waiter = { resolve, reject };
        waiters.add(waiter);
        const canceled = new RpcError(Code.CANCELED, 'context canceled');
        forget = whenAborted(signal, () => reject(canceled));
      });
    } finally {
      this.#count--;
      forget();
      if (waiter) waiters.delete(waiter);
      if (waiters.size === 0 && this.#byNode.get(nodeId) === waiters) this.#byNode.delete(nodeId);
    }
  }

  onChange(change: Change): void {
    if (change.table !== 'node') return;
    const node = change.object;
    const waiters = this.#byNode.get(node.id);
    if (!waiters) return;
    const isGone = change.kind === 'remove';
    if (!isGone && !isDecided(node.certificate)) return;
    for (const { resolve, reject } of waiters) {
      if (isGone) reject(new RpcError(Code.NOT_FOUND, 'NotFound'));
      else resolve(node);
    }
  }

  rejectAll(error: RpcError): void {
    for (const waiters of this.#byNode.values()) {
      for (const { reject } of waiters) reject(error);
    }
  }
}
