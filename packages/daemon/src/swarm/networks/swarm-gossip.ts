import {
  GOSSIP_PORT,
  type GossipCounters,
  GossipNode,
  type GossipStats,
  gossipKeys,
  RealGossipSockets,
  RecordTables,
} from '@skep/gossip';
import { hostOf } from '@skep/member';
import { type Clock, errorMessage, type Logger, type Random } from '@skep/platform';
import type { SessionMessage } from '@skep/wire/swarmkit';
import { LastingGossip } from './lasting-gossip.js';

export interface MeasuredGossip {
  stats: GossipStats;
  counters: Readonly<GossipCounters>;
}

export interface SwarmGossipOptions {
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Addresses of nodes that were there lately: a manager that comes back finds others by them. */
  lately: () => readonly string[];
}

/** Of those, how many are asked. */
const LATELY_MAX = 8;
/** Wait before gossip that could not start is tried again. */
const START_RETRY_MS = 5_000;

/**
 * This node's part in its swarm's gossip: starts when a manager has given it the keys, follows their
 * rotation, and finds others where managers are, as Docker Engines do (wire.md 5.2).
 */
export class SwarmGossip {
  readonly gossip = new LastingGossip();
  readonly #options: SwarmGossipOptions;
  #node: GossipNode | undefined;
  /** Where others reach this node, and where what runs is. */
  #ip = '';
  #nodeIp = '';
  #keys: Uint8Array[] = [];
  #managers: string[] = [];
  /** One change of what runs after the other. */
  #work = Promise.resolve();

  constructor(options: SwarmGossipOptions) {
    this.#options = options;
  }

  /** What it counts; undefined while this node does not gossip. */
  get measured(): MeasuredGossip | undefined {
    const node = this.#node;
    return node && { stats: node.stats(), counters: node.counters };
  }

  /** A manager says what it knows. */
  follow({ managers, networkBootstrapKeys }: SessionMessage): void {
    this.#keys = gossipKeys(networkBootstrapKeys);
    this.#managers = managers.flatMap(({ peer }) => (peer ? [hostOf(peer.addr)] : []));
    this.#then(() => this.#settle());
  }

  /** Others reach this node there; empty while that is not known. */
  locate(ip: string): void {
    if (ip === this.#ip) return;
    this.#ip = ip;
    this.#then(() => this.#settle());
  }

  /** Says that this node leaves, where it does. */
  leave(): Promise<void> {
    return this.#stop((node) => node.stop());
  }

  /** Without a word: this node's containers go on, and Docker Engines find them as long as they wait for it. */
  close(): Promise<void> {
    return this.#stop((node) => node.close());
  }

  #stop(end: (node: GossipNode) => Promise<void>): Promise<void> {
    this.#keys = [];
    this.#ip = '';
    this.#then(() => this.#end(end));
    return this.#work;
  }

  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#options.logger.warn({ error: errorMessage(error) }, 'gossip does not work');
      this.#options.clock.after(START_RETRY_MS, () => this.#then(() => this.#settle()));
    });
  }

  async #settle(): Promise<void> {
    if (this.#ip === '' || this.#keys.length === 0) return;
    if (this.#node && this.#nodeIp !== this.#ip) await this.#end((node) => node.stop());
    if (this.#node) this.#node.setKeys(this.#keys);
    else await this.#begin(this.#ip);
    const hosts = new Set([...this.#managers, ...this.#options.lately().slice(0, LATELY_MAX)]);
    hosts.delete(this.#nodeIp);
    this.#node?.setSeeds([...hosts].map((ip) => ({ ip, port: GOSSIP_PORT })));
  }

  async #begin(ip: string): Promise<void> {
    const { logger } = this.#options;
    const node = new GossipNode({
      ...this.#options,
      sockets: new RealGossipSockets({ ip, logger }),
      address: { ip, port: GOSSIP_PORT },
      keys: this.#keys,
    });
    await node.start();
    this.#node = node;
    this.#nodeIp = ip;
    this.gossip.attach(new RecordTables(node));
  }

  async #end(end: (node: GossipNode) => Promise<void>): Promise<void> {
    const node = this.#node;
    this.#node = undefined;
    this.gossip.attach(undefined);
    if (node) await end(node);
  }
}
