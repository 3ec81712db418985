import type { Clock } from '@skep/platform';
import type { ExecutorLimits } from '../limits.js';
import type { NodeNetworks } from './networks.js';

/**
 * The swarm networks of this node. A task can be assigned a moment before the node has made its
 * networks, so its preparation waits here.
 */
export class NodeAttachments {
  readonly #clock: Clock;
  readonly #limits: ExecutorLimits;
  readonly #networks: NodeNetworks;

  constructor(options: { clock: Clock; limits: ExecutorLimits; networks: NodeNetworks }) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#networks = options.networks;
  }

  /** Resolves when all of them stand. */
  async wait(networkIds: readonly string[], signal: AbortSignal): Promise<void> {
    if (networkIds.length === 0) return;
    const patience = new AbortController();
    const missing = 'node is missing network attachments, ip addresses may be exhausted';
    const cancel = this.#clock.after(this.#limits.attachmentWaitMs, () =>
      patience.abort(new Error(missing)),
    );
    const either = AbortSignal.any([signal, patience.signal]);
    try {
      await Promise.all(networkIds.map((id) => this.#networks.whenReady(id, either)));
    } finally {
      cancel();
    }
  }
}
