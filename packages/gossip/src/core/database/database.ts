import { NetworkEvent_Type, type NetworkPushPull, NodeEvent_Type } from '@skep/wire/networkdb';
import { type Address, sameAddress } from '../../address.js';
import {
  decodeEnvelope,
  ENVELOPE_ENTRY_BYTES,
  ENVELOPE_HEAD_BYTES,
  encodeCompound,
  encodePushPull,
  type TableMessage,
} from '../../codec/envelope.js';
import { encodeMessage } from '../../codec/messages.js';
import { NodeState } from '../../codec/stream.js';
import { GossipFormatError } from '../../errors.js';
import {
  BULK_SYNC_INTERVAL_MS,
  GOSSIP_INTERVAL_MS,
  GOSSIP_NODES,
  MESSAGES_PER_PACKET_MAX,
  NESTING_MAX,
  REAP_INTERVAL_MS,
  RETRY_INTERVAL_MS,
} from '../../limits.js';
import { type Courier, contentBytesMax } from '../courier.js';
import { type Member, shuffled } from '../membership/members.js';
import { BulkSync } from './bulk-sync.js';
import { Events } from './events.js';
import type { LocalNetwork } from './local-network.js';
import { DatabaseState, type DatabaseStateOptions } from './state.js';
import { Writes } from './writes.js';

export interface DatabaseOptions extends Omit<DatabaseStateOptions, 'eventBytesMax'> {
  packetBytes: number;
}

/** Where a message was found: as part of a bulk sync, and so deep in others. */
interface Place {
  isSync: boolean;
  depth: number;
}

type NodeMessage = Extract<TableMessage, { kind: 'node-event' | 'network-event' }>;

/** Type of a user's message, and one table event alone in a compound. */
const OVERHEAD_BYTES = 1 + ENVELOPE_HEAD_BYTES + ENVELOPE_ENTRY_BYTES;

/**
 * Tables that all nodes of a network share, as networkdb has them. What was said is said again by time and
 * again exchanging everything, and each node corrects what is wrongly said of it: so the tables of all who
 * can reach each other become equal, whatever was lost.
 */
export class Database {
  readonly state: DatabaseState;
  readonly writes: Writes;
  readonly #packetBytes: number;
  readonly #events: Events;
  readonly #sync: BulkSync;
  /** Messages that were none. */
  malformed = 0;

  constructor({ packetBytes, ...options }: DatabaseOptions) {
    const eventBytesMax = contentBytesMax(packetBytes) - OVERHEAD_BYTES;
    this.#packetBytes = packetBytes;
    this.state = new DatabaseState({ ...options, eventBytesMax });
    this.writes = new Writes(this.state);
    this.#events = new Events(this.state, this.writes);
    this.#sync = new BulkSync(this.state, this.writes);
  }

  begin(courier: Courier): void {
    const { timers, random } = this.state;
    timers.every(
      () => GOSSIP_INTERVAL_MS,
      random.float(),
      () => this.gossip(courier),
    );
    timers.every(
      () => BULK_SYNC_INTERVAL_MS,
      random.float(),
      () => this.#sync.periodic(),
    );
    timers.every(
      () => REAP_INTERVAL_MS,
      random.float(),
      () => this.#reap(),
    );
    timers.every(
      () => RETRY_INTERVAL_MS,
      random.float(),
      () => {
        this.writes.repair();
        this.#sync.catchUp();
      },
    );
  }

  onAlive({ node: name, address, versions }: Member): void {
    const { peers, timers, flaws } = this.state;
    const known = peers.get(name);
    if (flaws.has('address-is-proof')) this.#evictOthersAt(address, name);
    if (known && flaws.has('failed-for-good')) return;
    if (!known) {
      const head = { name, address, versions, lamportTime: 0n };
      peers.add({ ...head, state: 'active', changedMs: timers.nowMs });
      return;
    }
    Object.assign(known, { address, versions });
    this.#events.setPeerState(name, 'active');
    this.#sync.nodeReturned(name);
  }

  /** A known bug: see {@link GossipFlaws}. */
  #evictOthersAt(address: Address, name: string): void {
    const others = this.state.peers.all().filter((peer) => sameAddress(peer.address, address));
    for (const peer of others) {
      if (peer.name !== name) this.#events.setPeerState(peer.name, 'left');
    }
  }

  onGone({ node, state }: Member): void {
    const known = this.state.peers.get(node);
    if (known?.state === 'active' || state === NodeState.LEFT) {
      this.#events.setPeerState(node, state === NodeState.LEFT ? 'left' : 'failed');
    }
  }

  /** What came beside a push/pull of members, or what goes there. */
  localState(isJoin: boolean): Uint8Array {
    if (isJoin) this.writes.restamp();
    const { self, nodeClock, attachments, peers } = this.state;
    const nodes = peers.all().filter(({ state }) => state === 'active');
    const networks = [self, ...nodes.map(({ name }) => name)].flatMap((nodeName) =>
      attachments.of(nodeName).map(({ networkId, lamportTime: lTime, isLeaving: leaving }) => {
        return { networkId, lTime, nodeName, leaving };
      }),
    );
    return encodePushPull({ lTime: nodeClock.time, nodeName: self, networks });
  }

  /** A user message of memberlist. Whatever is wrong in it is left out, and counted. */
  receive(bytes: Uint8Array): void {
    this.#take(bytes, { isSync: false, depth: 0 });
  }

  /** Tells some nodes of each network of what happened there. */
  gossip(courier: Courier): void {
    for (const network of this.state.networks.values()) {
      if (network.queue.size > 0) this.#gossipOf(network, courier);
    }
  }

  #gossipOf(network: LocalNetwork, courier: Courier): void {
    const { peers, random } = this.state;
    const nodes = shuffled(random, this.state.activeNodesOf(network.id)).slice(0, GOSSIP_NODES);
    if (nodes.length === 0) return;
    const bytes = contentBytesMax(this.#packetBytes) - 1 - ENVELOPE_HEAD_BYTES;
    const parts = network.queue.take(ENVELOPE_ENTRY_BYTES, bytes, MESSAGES_PER_PACKET_MAX);
    if (parts.length === 0) return;
    // In the order in which they were said: first that a node takes part, then what it has.
    const payload = encodeCompound(parts.reverse());
    for (const name of nodes) {
      const peer = peers.get(name);
      if (peer) courier.sendEncoded(peer, encodeMessage({ kind: 'user', payload }));
    }
  }

  #take(bytes: Uint8Array, place: Place): void {
    try {
      if (place.depth > NESTING_MAX) throw new GossipFormatError('wrapped too often');
      this.#act(decodeEnvelope(bytes), bytes, place);
    } catch (error) {
      if (!(error instanceof GossipFormatError)) throw error;
      this.malformed++;
    }
  }

  #act(message: TableMessage, bytes: Uint8Array, { isSync, depth }: Place): void {
    switch (message.kind) {
      case 'node-event':
      case 'network-event':
        this.#ofNode(message, bytes);
        break;
      case 'table-event':
        this.#events.table(message.event, bytes, isSync);
        break;
      case 'compound':
        for (const part of message.parts) this.#take(part, { isSync, depth: depth + 1 });
        break;
      case 'bulk-sync':
        if (depth > 0) throw new GossipFormatError('a bulk sync in another message');
        this.#take(message.sync.payload, { isSync: true, depth: 1 });
        this.#sync.onMessage(message.sync);
        break;
      case 'push-pull':
        if (depth > 0) throw new GossipFormatError('a push/pull in another message');
        this.#merge(message.state);
    }
  }

  /** What is news of a node is told on. */
  #ofNode(message: NodeMessage, bytes: Uint8Array): void {
    const { nodeName } = message.event;
    if (message.kind === 'node-event') {
      if (this.#events.node(message.event)) this.state.tellAll(bytes, nodeName);
    } else if (this.#events.network(message.event)) {
      this.state.tellAll(bytes, `${message.event.networkId}\0${nodeName}`);
    }
  }

  #merge({ lTime, nodeName, networks }: NetworkPushPull): void {
    const type = NodeEvent_Type.JOIN;
    this.#events.node({ $typeName: 'networkdb.NodeEvent', type, lTime, nodeName });
    for (const { networkId, lTime, nodeName, leaving } of networks) {
      const type = leaving ? NetworkEvent_Type.LEAVE : NetworkEvent_Type.JOIN;
      const event = { type, lTime, nodeName, networkId };
      this.#events.network({ $typeName: 'networkdb.NetworkEvent', ...event });
    }
  }

  #reap(): void {
    const { timers, networks, attachments, peers } = this.state;
    for (const { entries } of networks.values()) entries.expire(timers.nowMs);
    attachments.expire(timers.nowMs);
    for (const { name } of peers.expire(timers.nowMs)) this.#events.forget(name);
  }
}
