import {
  type EntryChange,
  type GossipFlaws,
  GossipNode,
  type SimGossipNetwork,
} from '@skep/gossip';
import { type Random, silentLogger } from '@skep/platform';
import { MachineClock, must, type Timeline } from '../engine/index.js';

const PORT = 7946;
const TABLE = 't';

export interface GossipMachineOptions {
  name: string;
  ip: string;
  timeline: Timeline;
  network: SimGossipNetwork;
  drift: number;
  random: Random;
  /** Keys as the managers hand them out now. */
  keys: () => readonly Uint8Array[];
  /** Where all machines are. */
  seeds: () => readonly string[];
  note: (what: string) => void;
  flaws: GossipFlaws;
}

/** A program on a machine, from its start to its end. */
interface Life {
  node: GossipNode;
  clock: MachineClock;
  /** By network, then key: what readers of the tables were told. */
  told: Map<string, Map<string, string>>;
}

/**
 * A machine, and what it wants to stand in the tables: that it knows also after its program has started
 * again, as an agent knows its tasks.
 */
export class GossipMachine {
  readonly name: string;
  readonly ip: string;
  /** By network, then key. */
  readonly wanted = new Map<string, Map<string, string>>();
  readonly #options: GossipMachineOptions;
  #life: Life | undefined;

  constructor(options: GossipMachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.ip = options.ip;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  async start(): Promise<void> {
    if (this.#life) return;
    const { timeline, network, drift, random, keys, seeds, ip, flaws } = this.#options;
    const clock = new MachineClock({ timeline, drift });
    const address = { ip, port: PORT };
    const sockets = network.socketsOf(address, clock);
    const logger = silentLogger;
    const node = new GossipNode({
      ...{ clock, random, logger, sockets, address, flaws },
      keys: keys(),
    });
    const life: Life = { node, clock, told: new Map() };
    node.onChange((changes) => {
      for (const change of changes) this.#hear(life, change);
    });
    this.#life = life;
    await node.start();
    this.#options.note(`starts as ${node.name}`);
    for (const [networkId, entries] of this.wanted) {
      node.joinNetwork(networkId);
      for (const [key, value] of entries) node.put(networkId, TABLE, key, Buffer.from(value));
    }
    node.setSeeds(seeds().map((seed) => ({ ip: seed, port: PORT })));
  }

  /** Without a word. */
  die(): void {
    this.#life?.clock.kill();
    this.#life = undefined;
    this.#options.note('dies');
  }

  async stop(): Promise<void> {
    const life = this.#life;
    if (!life) return;
    await life.node.stop();
    if (this.#life === life) this.die();
  }

  join(networkId: string): void {
    if (this.wanted.has(networkId)) return;
    this.wanted.set(networkId, new Map());
    this.#life?.node.joinNetwork(networkId);
  }

  leave(networkId: string): void {
    if (this.wanted.delete(networkId)) this.#life?.node.leaveNetwork(networkId);
  }

  put(networkId: string, key: string, value: string): void {
    this.wanted.get(networkId)?.set(key, value);
    this.#life?.node.put(networkId, TABLE, key, Buffer.from(value));
  }

  delete(networkId: string, key: string): void {
    this.wanted.get(networkId)?.delete(key);
    this.#life?.node.delete(networkId, TABLE, key);
  }

  /** What its node shows, by key. */
  shown(networkId: string): Map<string, string> {
    const entries = this.#life?.node.entries(networkId, TABLE) ?? [];
    return new Map(entries.map(({ key, value }) => [key, Buffer.from(value).toString()]));
  }

  /** Each change follows from what was told before, and one of a network that was left is none. */
  #hear({ told }: Life, { networkId, key, value, previous }: EntryChange): void {
    const known = told.get(networkId) ?? new Map<string, string>();
    told.set(networkId, known);
    const before = previous && Buffer.from(previous).toString();
    must(known.get(key) === before, 'change-follows', () => {
      return `${this.name} was told of ${networkId} ${key}: ${known.get(key)}, then from ${before}`;
    });
    if (value) known.set(key, Buffer.from(value).toString());
    else known.delete(key);
    this.#options.note(`sees ${networkId} ${key} ${value ? Buffer.from(value) : 'gone'}`);
  }
}
