import { type Logger, SimClock, SimRandom, silentLogger } from '@skep/platform';
import type { Address } from '../address.js';
import { Keyring } from '../codec/keyring.js';
import { encodeMessage, type Message } from '../codec/messages.js';
import { compound } from '../codec/packet.js';
import type { EntryChange } from '../core/outbox.js';
import { GossipNode, type GossipNodeOptions } from '../shell/node.js';
import { SimGossipNetwork } from '../shell/sockets.sim.js';

export const KEYS = [1, 2, 3].map((fill) => new Uint8Array(16).fill(fill));

/** A node, and what its tables' readers heard. */
export interface SimNode {
  node: GossipNode;
  address: Address;
  changes: EntryChange[];
}

/** Nodes on one clock; each way takes 1 ms, and can be cut. */
export class SimCluster {
  readonly clock = new SimClock();
  readonly logger: Logger = silentLogger;
  /** Nothing gets through by UDP. */
  losesPackets = false;
  readonly #cuts = new Set<string>();
  readonly #network = new SimGossipNetwork({
    send: (from, to, isReliable, arrive) => {
      this.clock.after(1, () => {
        if (this.losesPackets && !isReliable) return;
        if (!this.#cuts.has(`${from}>${to}`)) arrive();
      });
    },
  });
  #seed = 0;

  async start(number: number, more: Partial<GossipNodeOptions> = {}): Promise<SimNode> {
    const address = addressOf(number);
    const sockets = this.#network.socketsOf(address, this.clock);
    const random = new SimRandom(1_000 * number + this.#seed++);
    const { clock, logger } = this;
    const node = new GossipNode({ clock, random, logger, sockets, address, keys: KEYS, ...more });
    const changes: EntryChange[] = [];
    node.onChange((news) => changes.push(...news));
    await node.start();
    return { node, address, changes };
  }

  /** So many nodes that know each other, in the network `net`. */
  async form(count: number): Promise<SimNode[]> {
    const nodes: SimNode[] = [];
    for (let number = 1; number <= count; number++) {
      const started = await this.start(number);
      started.node.setSeeds([addressOf(1)]);
      started.node.joinNetwork('net');
      nodes.push(started);
    }
    await this.clock.advance(3_000);
    return nodes;
  }

  cut(one: SimNode, other: SimNode): void {
    for (const way of ways(one, other)) this.#cuts.add(way);
  }

  /** Cuts a node off from all others. */
  isolate(node: SimNode, nodes: readonly SimNode[]): () => void {
    const others = nodes.filter((other) => other !== node);
    for (const other of others) this.cut(node, other);
    return () => {
      for (const other of others) this.mend(node, other);
    };
  }

  mend(one: SimNode, other: SimNode): void {
    for (const way of ways(one, other)) this.#cuts.delete(way);
  }
}

function ways(one: SimNode, other: SimNode): string[] {
  const [a, b] = [one.address.ip, other.address.ip];
  return [`${a}>${b}`, `${b}>${a}`];
}

export function addressOf(number: number): Address {
  return { ip: `10.9.0.${number}`, port: 7946 };
}

/** Writes to the table `t` in `net`. */
export function put({ node }: SimNode, key: string, value: string): void {
  node.put('net', 't', key, Buffer.from(value));
}

/** Hands a node messages as if another member had sent them. */
export function inject({ node }: SimNode, ...messages: readonly Message[]): void {
  const keyring = new Keyring({ keys: KEYS, random: new SimRandom(7) });
  node.onPacket(keyring.seal(compound(messages.map(encodeMessage))), addressOf(250));
}

/** Values of the table `t` in `net` by key, as a node shows them. */
export function tableOf({ node }: SimNode): Record<string, string> {
  const entries = node.entries('net', 't').map(({ key, value }) => [key, text(value)] as const);
  return Object.fromEntries(entries.sort());
}

export function text(value: Uint8Array | undefined): string {
  return Buffer.from(value ?? []).toString();
}
