import { create } from '@bufbuild/protobuf';
import { BoundedQueue } from '@skep/platform';
import {
  type NetworksUpdate,
  type WatchNetworksRequest,
  WatchNetworksRequestSchema,
} from '@skep/wire/skep';
import type { NetworksService } from '../contract.js';
import { SimTables } from './tables.sim.js';

const REQUESTS_MAX = 1_000;

/** A node that follows its networks: says of each update at once that it is applied, unless it holds. */
export class SimWatcher {
  readonly nodeId: string;
  readonly abort = new AbortController();
  readonly messages: NetworksUpdate[] = [];
  readonly tables = new SimTables();
  /** Applies updates, and does not say so. */
  holds = false;
  /** Why its call ended; undefined as long as it lasts. */
  failure: unknown;
  readonly #requests = new BoundedQueue<WatchNetworksRequest>(REQUESTS_MAX);

  constructor(networks: NetworksService, nodeId: string) {
    this.nodeId = nodeId;
    void this.#follow(networks);
  }

  /** One for each update: its last message. */
  get updates(): NetworksUpdate[] {
    return this.messages.filter(({ continued }) => !continued);
  }

  get last(): NetworksUpdate {
    const last = this.updates.at(-1);
    if (!last) throw new Error('nothing was told');
    return last;
  }

  acknowledge(applied: bigint): void {
    this.#requests.push(create(WatchNetworksRequestSchema, { applied }));
  }

  /** Says of all that it holds that it is applied. */
  release(): void {
    this.holds = false;
    this.acknowledge(this.last.number);
  }

  async #follow(networks: NetworksService): Promise<void> {
    const { signal } = this.abort;
    try {
      for await (const message of networks.watch(this.nodeId, this.#requests, signal)) {
        this.messages.push(message);
        this.tables.apply(message);
        if (!message.continued && !this.holds) this.acknowledge(message.number);
      }
    } catch (error) {
      this.failure = error;
    }
    this.#requests.end();
  }
}
