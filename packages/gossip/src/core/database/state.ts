import type { Random } from '@skep/platform';
import { encodeMessage } from '../../codec/messages.js';
import type { GossipFlaws } from '../../flaws.js';
import { BroadcastQueue } from '../broadcast-queue.js';
import type { Outbox } from '../outbox.js';
import type { Timers } from '../timers.js';
import { Attachments } from './attachments.js';
import type { Entry } from './entries.js';
import { LamportClock } from './lamport.js';
import type { LocalNetwork } from './local-network.js';
import { Peers } from './peers.js';

export interface DatabaseStateOptions {
  self: string;
  random: Random;
  timers: Timers;
  outbox: Outbox;
  /** Longest event that fits a packet. */
  eventBytesMax: number;
  /** Whether the membership takes a node for alive. */
  isAlive: (name: string) => boolean;
  flaws?: GossipFlaws | undefined;
}

/** All that is known of tables, and what of it is shown. Whoever changes it here tells of the change. */
export class DatabaseState {
  readonly self: string;
  readonly random: Random;
  readonly timers: Timers;
  readonly outbox: Outbox;
  readonly eventBytesMax: number;
  readonly isAlive: (name: string) => boolean;
  readonly flaws: GossipFlaws;
  readonly peers = new Peers();
  readonly attachments = new Attachments();
  readonly networks = new Map<string, LocalNetwork>();
  /** Of what nodes do: come, go, take part in networks. */
  readonly nodeClock = new LamportClock();
  /** Of what is done to entries. */
  readonly tableClock = new LamportClock();
  /** What nodes do, to be told to all. */
  readonly queue: BroadcastQueue;
  /** Others hold something wrong of this node: {@link Writes.repair} puts it right. */
  isContradicted = false;

  constructor(options: DatabaseStateOptions) {
    const { self, random, timers, outbox, eventBytesMax, isAlive, flaws = new Set() } = options;
    this.self = self;
    this.random = random;
    this.timers = timers;
    this.outbox = outbox;
    this.eventBytesMax = eventBytesMax;
    this.isAlive = isAlive;
    this.flaws = flaws;
    const nodes = () => this.peers.all().length;
    this.queue = new BroadcastQueue({ nodes, bytesMax: eventBytesMax });
  }

  /** Tells every node; in place of what was said under that name before. */
  tellAll(event: Uint8Array, name: string): void {
    this.queue.push(encodeMessage({ kind: 'user', payload: event }), name);
  }

  /** Active nodes besides this one that take part in a network. */
  activeNodesOf(networkId: string): string[] {
    const isOther = (name: string) => name !== this.self && this.peers.isActive(name);
    return this.attachments.nodesOf(networkId).filter(isOther);
  }

  /** Networks that both this node and another take part in. */
  networksWith(node: string): string[] {
    return [...this.networks.keys()].filter((id) => this.attachments.isIn(node, id));
  }

  /** The value that readers see: of entries that stand, of nodes that are there and take part. */
  shown(networkId: string, entry: Entry | undefined): Uint8Array | undefined {
    if (!entry || entry.deletedUntilMs !== undefined) return undefined;
    if (entry.owner === this.self) return entry.value;
    const isThere =
      this.peers.isActive(entry.owner) && this.attachments.isIn(entry.owner, networkId);
    return isThere ? entry.value : undefined;
  }

  /** Puts an entry in place of what was under its key. False where there is no room. */
  write(network: LocalNetwork, entry: Entry): boolean {
    const before = network.entries.get(entry.table, entry.key);
    const previous = this.shown(network.id, before);
    if (!network.entries.set(entry)) return false;
    this.#tell(network.id, before ?? entry, previous, entry);
    return true;
  }

  /** Does what changes which entries of a node are shown, and tells of each. */
  changing(owner: string, change: () => void): void {
    const before = [...this.networks.values()].flatMap((network) =>
      [...network.entries.all()]
        .filter((entry) => entry.owner === owner)
        .map((entry) => ({ network, entry, previous: this.shown(network.id, entry) })),
    );
    change();
    for (const { network, entry, previous } of before) {
      const now = network.entries.get(entry.table, entry.key);
      this.#tell(network.id, entry, previous, now);
    }
  }

  #tell(
    networkId: string,
    { table, key, owner: formerOwner }: Entry,
    previous: Uint8Array | undefined,
    now: Entry | undefined,
  ): void {
    const value = this.shown(networkId, now);
    if (isEqual(value, previous)) return;
    const owner = value && now ? now.owner : formerOwner;
    const change = { networkId, table, key, owner, value, previous };
    this.outbox.add({ kind: 'change', change });
  }
}

export function isEqual(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one && other ? Buffer.compare(one, other) === 0 : one === other;
}
