import { LEFT_NETWORK_MS } from '../../limits.js';

/** Which nodes take part in which networks, as the nodes themselves said it. */

export interface Attachment {
  networkId: string;
  lamportTime: bigint;
  isLeaving: boolean;
  /** When it is forgotten that the node left, in the core's time. */
  untilMs: number;
}

/** Of all nodes together: a bound for what others can make this node keep. */
const ATTACHMENTS_MAX = 500_000;

export class Attachments {
  readonly #byNode = new Map<string, Map<string, Attachment>>();
  readonly #nodes = new Map<string, Set<string>>();
  #count = 0;

  get(node: string, networkId: string): Attachment | undefined {
    return this.#byNode.get(node)?.get(networkId);
  }

  isIn(node: string, networkId: string): boolean {
    return this.#nodes.get(networkId)?.has(node) ?? false;
  }

  /** Nodes that take part in a network. */
  nodesOf(networkId: string): readonly string[] {
    return [...(this.#nodes.get(networkId) ?? [])];
  }

  of(node: string): Attachment[] {
    return [...(this.#byNode.get(node)?.values() ?? [])];
  }

  /** False where there is no room for one more. */
  set(node: string, networkId: string, lamportTime: bigint, leftMs: number | undefined): boolean {
    const known = this.get(node, networkId);
    if (!known && this.#count >= ATTACHMENTS_MAX) return false;
    if (!known) this.#count++;
    const networks = this.#byNode.get(node) ?? new Map<string, Attachment>();
    this.#byNode.set(node, networks);
    const isLeaving = leftMs !== undefined;
    const untilMs = (leftMs ?? 0) + LEFT_NETWORK_MS;
    networks.set(networkId, { networkId, lamportTime, isLeaving, untilMs });
    const nodes = this.#nodes.get(networkId) ?? new Set<string>();
    this.#nodes.set(networkId, nodes);
    if (isLeaving) this.#withdraw(node, networkId);
    else nodes.add(node);
    return true;
  }

  /** Everything of a node. */
  forget(node: string): void {
    for (const { networkId } of this.of(node)) this.#delete(node, networkId);
  }

  /** Forgets that nodes left networks, once it was long enough ago. */
  expire(nowMs: number): void {
    for (const [node, networks] of this.#byNode) {
      for (const { networkId, isLeaving, untilMs } of networks.values()) {
        if (isLeaving && nowMs > untilMs) this.#delete(node, networkId);
      }
    }
  }

  #delete(node: string, networkId: string): void {
    const networks = this.#byNode.get(node);
    if (networks?.delete(networkId)) this.#count--;
    if (networks?.size === 0) this.#byNode.delete(node);
    this.#withdraw(node, networkId);
  }

  #withdraw(node: string, networkId: string): void {
    const nodes = this.#nodes.get(networkId);
    nodes?.delete(node);
    if (nodes?.size === 0) this.#nodes.delete(networkId);
  }
}
