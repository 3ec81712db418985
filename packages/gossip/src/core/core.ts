import type { Random } from '@skep/platform';
import type { Address } from '../address.js';
import type { Message } from '../codec/messages.js';
import { NodeState, type StreamMessage } from '../codec/stream.js';
import type { GossipFlaws } from '../flaws.js';
import { BroadcastQueue } from './broadcast-queue.js';
import { Courier, contentBytesMax } from './courier.js';
import { Database } from './database/database.js';
import { entryId } from './database/entries.js';
import { type Member, Members } from './membership/members.js';
import { Membership } from './membership/membership.js';
import { type Effect, type ExchangeOutcome, type MemberEvent, Outbox } from './outbox.js';
import { StateExchange } from './state-exchange.js';
import { Timers } from './timers.js';

export interface GossipCoreOptions {
  /** Of this node, new at each of its starts: nobody else's, ever. */
  name: string;
  /** Where others reach it. */
  address: Address;
  random: Random;
  /** Ms of the outside's clock, which never goes back. */
  nowMs: number;
  /** Longest UDP packet that it sends. */
  packetBytes: number;
  /** Known bugs, for the simulator. */
  flaws?: GossipFlaws | undefined;
}

/** A member as people are shown it. */
export interface MemberView {
  name: string;
  address: Address;
  state: 'alive' | 'suspect' | 'dead' | 'left';
}

export interface EntryView {
  key: string;
  owner: string;
  value: Uint8Array;
}

/** For metrics. */
export interface GossipStats {
  /** That are there, this node among them. */
  members: number;
  suspected: number;
  /** Not heard of, and waited for. */
  failed: number;
  networks: number;
  /** Deleted ones that are still remembered included. */
  entries: number;
  /** Messages that are to be told on. */
  queued: number;
  /** 0: well; up to 7: others rarely answer, or say that this node does not. */
  healthScore: number;
  /** Table messages that were none. */
  malformed: number;
}

const STATE_NAMES = ['alive', 'suspect', 'dead', 'left'] as const;

/**
 * One node's part in the gossip: who is there, and the tables they share. It does nothing itself. After
 * each call {@link GossipCore.takeEffects} says what is to be done, and {@link GossipCore.dueMs} when it
 * wants to be called again.
 */
export class GossipCore {
  readonly name: string;
  readonly #timers: Timers;
  readonly #outbox = new Outbox();
  readonly #members: Members;
  readonly #courier: Courier;
  readonly #membership: Membership;
  readonly #database: Database;
  readonly #exchange: StateExchange;
  #isTelling = false;

  constructor({ name, address, random, nowMs, packetBytes, flaws }: GossipCoreOptions) {
    this.name = name;
    const timers = new Timers(nowMs);
    const outbox = this.#outbox;
    const members = new Members(random);
    this.#timers = timers;
    this.#members = members;
    const bytesMax = contentBytesMax(packetBytes);
    const queue = new BroadcastQueue({ nodes: () => members.size, bytesMax });
    const database = new Database({
      ...{ self: name, random, timers, outbox, packetBytes, flaws },
      isAlive: (other) => members.get(other)?.state === NodeState.ALIVE,
    });
    const queues = [queue, database.state.queue];
    this.#courier = new Courier({ outbox, queues, packetBytes });
    this.#database = database;
    this.#membership = new Membership({
      ...{ name, address, random, timers, outbox, queue, members },
      courier: this.#courier,
      listener: {
        onAlive: (member) => this.#onAlive(member),
        onGone: (member) => this.#onGone(member),
      },
    });
    this.#exchange = new StateExchange({
      ...{ name, address, random, timers, outbox, members, database },
      membership: this.#membership,
    });
  }

  begin(): void {
    this.#membership.begin();
    this.#database.begin(this.#courier);
    this.#exchange.begin();
  }

  /** When {@link GossipCore.tick} is to be called, in the outside's time. */
  get dueMs(): number | undefined {
    return this.#timers.dueMs;
  }

  takeEffects(): Effect[] {
    return this.#outbox.take();
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    this.#timers.advance(nowMs);
  }

  /** A message out of a packet. */
  receive(message: Message, from: Address): void {
    if (message.kind === 'user') this.#database.receive(message.payload);
    else this.#membership.receive(message, from);
  }

  /** What came over a connection that another node opened; the answer to it where there is one. */
  answer(message: StreamMessage): StreamMessage | undefined {
    switch (message.kind) {
      case 'push-pull':
        return this.#exchange.answer(message);
      case 'ping': {
        const { node, sequence } = message;
        return node === this.name ? { kind: 'ack', sequence } : undefined;
      }
      case 'user':
        this.#database.receive(message.payload);
        return undefined;
      default:
        return undefined;
    }
  }

  /** How an exchange went that an effect asked for. */
  exchanged(id: number, outcome: ExchangeOutcome): void {
    this.#outbox.exchanged(id, outcome);
  }

  setSeeds(seeds: readonly Address[]): void {
    this.#exchange.setSeeds(seeds);
  }

  joinNetwork(id: string): void {
    this.#database.writes.joinNetwork(id);
    this.#tellSoon();
  }

  leaveNetwork(id: string): void {
    this.#database.writes.leaveNetwork(id);
    this.#tellSoon();
  }

  put(networkId: string, table: string, key: string, value: Uint8Array): void {
    this.#database.writes.put(networkId, { table, key, value });
    this.#tellSoon();
  }

  delete(networkId: string, table: string, key: string): void {
    this.#database.writes.delete(networkId, table, key);
    this.#tellSoon();
  }

  /** Says that this node leaves; it takes part no more, but for telling of that. */
  leave(): void {
    this.#database.writes.leave();
    this.#membership.leave();
    this.#tellSoon();
  }

  /** Whether others have been told of all that there is to be told. */
  get isQuiet(): boolean {
    return this.#database.state.queue.size === 0;
  }

  members(): MemberView[] {
    return this.#members.all().map(({ node, address, state }) => {
      return { name: node, address, state: STATE_NAMES[state] ?? 'dead' };
    });
  }

  /** Members that take part in a network, this one among them where it does. */
  networkMembers(networkId: string): MemberView[] {
    const { attachments } = this.#database.state;
    return this.members().filter(({ name }) => attachments.isIn(name, networkId));
  }

  /** What this node has under a key. */
  ownEntry(networkId: string, table: string, key: string): Uint8Array | undefined {
    const network = this.#database.state.networks.get(networkId);
    return network?.intents.get(entryId(table, key))?.value;
  }

  /** What stands in a table and is shown. */
  entries(networkId: string, table: string): EntryView[] {
    const { state } = this.#database;
    const entries = [...(state.networks.get(networkId)?.entries.all() ?? [])];
    return entries.flatMap((entry) => {
      const value = entry.table === table ? state.shown(networkId, entry) : undefined;
      return value ? [{ key: entry.key, owner: entry.owner, value }] : [];
    });
  }

  stats(): GossipStats {
    const { state, malformed } = this.#database;
    const count = (wanted: MemberView['state']) =>
      this.members().filter((member) => member.state === wanted).length;
    const networks = [...state.networks.values()];
    return {
      members: count('alive') + count('suspect'),
      suspected: count('suspect'),
      failed: this.#exchange.missingPeers().length,
      networks: networks.length,
      entries: networks.reduce((sum, { entries }) => sum + entries.size, 0),
      queued: networks.reduce((sum, { queue }) => sum + queue.size, state.queue.size),
      healthScore: this.#membership.healthScore,
      malformed,
    };
  }

  /** What this node has to say goes out at once; all else can wait for the next round. */
  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#timers.after(0, () => {
      this.#isTelling = false;
      this.#membership.gossip();
      this.#database.gossip(this.#courier);
    });
  }

  #onAlive(member: Member): void {
    const isKnown = this.#database.state.peers.get(member.node) !== undefined;
    this.#database.onAlive(member);
    this.#tellOfMember(isKnown ? 'returned' : 'joined', member);
  }

  #onGone(member: Member): void {
    if (member.node === this.name) return;
    this.#database.onGone(member);
    this.#tellOfMember(member.state === NodeState.LEFT ? 'left' : 'failed', member);
  }

  #tellOfMember(event: MemberEvent, { node: name, address }: Member): void {
    this.#outbox.add({ kind: 'member', event, name, address });
  }
}
