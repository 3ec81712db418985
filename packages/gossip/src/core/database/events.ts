import {
  type NetworkEvent,
  NetworkEvent_Type,
  type NodeEvent,
  NodeEvent_Type,
  type TableEvent,
  TableEvent_Type,
} from '@skep/wire/networkdb';
import {
  KEY_BYTES_MAX,
  NETWORK_ID_BYTES_MAX,
  QUEUED_AT_SYNC_MAX,
  TABLE_NAME_BYTES_MAX,
  TOMBSTONE_MS,
  VALUE_BYTES_MAX,
} from '../../limits.js';
import { deletedUntilMs, type Entry, entryId, supersedes } from './entries.js';
import { isPlausible } from './lamport.js';
import type { LocalNetwork } from './local-network.js';
import type { PeerState } from './peers.js';
import type { DatabaseState } from './state.js';
import type { Writes } from './writes.js';

/** What others say, and whether it is news that is to be told on. */
export class Events {
  readonly #state: DatabaseState;
  readonly #writes: Writes;

  constructor(state: DatabaseState, writes: Writes) {
    this.#state = state;
    this.#writes = writes;
  }

  /** A peer is there, is not heard of, or has left: as the membership knows it, which is who decides. */
  setPeerState(name: string, peerState: PeerState): void {
    const state = this.#state;
    const peer = state.peers.get(name);
    if (!peer || peer.state === peerState) return;
    state.changing(name, () => {
      peer.state = peerState;
      peer.changedMs = state.timers.nowMs;
      if (peerState === 'left') this.forget(name);
    });
  }

  /** Drops all that a node has, which does not come back under this name. */
  forget(name: string): void {
    const { attachments, networks } = this.#state;
    for (const { entries } of networks.values()) {
      for (const entry of entries.all()) if (entry.owner === name) entries.delete(entry);
    }
    attachments.forget(name);
  }

  node({ type, lTime, nodeName }: NodeEvent): boolean {
    const { self, nodeClock, peers } = this.#state;
    if (!isPlausible(lTime)) return false;
    nodeClock.witness(lTime);
    if (nodeName === self) {
      if (type === NodeEvent_Type.LEAVE) this.#state.isContradicted = true;
      return false;
    }
    const peer = peers.get(nodeName);
    if (!peer || peer.lamportTime >= lTime) return false;
    peer.lamportTime = lTime;
    const hasLeft = type === NodeEvent_Type.LEAVE;
    if (hasLeft === (peer.state === 'left')) return false;
    const isEvicted = this.#state.flaws.has('address-is-proof');
    if (!hasLeft && (isEvicted || !this.#state.isAlive(nodeName))) return false;
    this.setPeerState(nodeName, hasLeft ? 'left' : 'active');
    return true;
  }

  network({ type, lTime, nodeName, networkId }: NetworkEvent): boolean {
    const { self, nodeClock, peers, attachments, timers } = this.#state;
    if (!isPlausible(lTime) || isTooLong(networkId, NETWORK_ID_BYTES_MAX)) return false;
    nodeClock.witness(lTime);
    const isLeaving = type === NetworkEvent_Type.LEAVE;
    const known = attachments.get(nodeName, networkId);
    if (known && known.lamportTime >= lTime) return false;
    if (nodeName === self) {
      if (known && known.isLeaving !== isLeaving) this.#contradict(networkId);
      return false;
    }
    const peer = peers.get(nodeName);
    if (!peer || peer.state === 'left' || (!known && isLeaving)) return false;
    let isTaken = false;
    this.#state.changing(nodeName, () => {
      const leftMs = isLeaving ? timers.nowMs : undefined;
      isTaken = attachments.set(nodeName, networkId, lTime, leftMs);
      if (isLeaving) this.#forgetEntries(networkId, nodeName);
    });
    return isTaken;
  }

  /** Others hold that this node is not in a network: what it has there counts as deleted with them. */
  #contradict(networkId: string): void {
    const network = this.#state.networks.get(networkId);
    if (network) network.isForgotten = true;
    this.#state.isContradicted = true;
  }

  /**
   * What a node had in a network that it left is forgotten, not deleted: news travel at different speeds,
   * and some of it may have been written after the node came back.
   */
  #forgetEntries(networkId: string, owner: string): void {
    const entries = this.#state.networks.get(networkId)?.entries;
    for (const entry of entries?.all() ?? []) if (entry.owner === owner) entries?.delete(entry);
  }

  /** `bytes` as it came; `isSync`: as part of all that a node has. */
  table(event: TableEvent, bytes: Uint8Array, isSync: boolean): void {
    const { self, tableClock, attachments, networks } = this.#state;
    if (!isPlausible(event.lTime) || !isSound(event)) return;
    tableClock.witness(event.lTime);
    const network = networks.get(event.networkId);
    if (!network) return;
    if (event.nodeName === self) {
      this.#ofThisNode(network, event);
      return;
    }
    // Whoever is not known to take part may be long gone, and its entries with it.
    if (!attachments.isIn(event.nodeName, event.networkId)) return;
    const known = network.entries.get(event.tableName, event.key);
    if (known && !this.#takesPlaceOf(event, known)) return;
    const entry = this.#entryOf(event);
    const isDeletion = entry.deletedUntilMs !== undefined;
    if (!known && isDeletion && !isSync) return;
    if (!this.#state.write(network, entry)) return;
    const id = entryId(event.tableName, event.key);
    if (network.intents.has(id)) this.#state.isContradicted = true;
    if (isSync && network.queue.size > QUEUED_AT_SYNC_MAX) return;
    if (network.isInSync && (known || !this.#isShortLived(entry))) network.queue.push(bytes, id);
  }

  /**
   * What a node says that is there comes before what one has said that is not heard of, whenever that was:
   * it may be the same one, begun again under another name, and its clock is young.
   */
  #takesPlaceOf(event: TableEvent, known: Entry): boolean {
    const { self, peers, flaws } = this.#state;
    const isThere = (name: string) => name === self || peers.isActive(name);
    const [isNowThere, wasThere] = [isThere(event.nodeName), isThere(known.owner)];
    if (isNowThere !== wasThere && !flaws.has('failed-keep-keys')) return isNowThere;
    return supersedes(event, known);
  }

  #entryOf(event: TableEvent): Entry {
    const isDeletion = event.type === TableEvent_Type.DELETE;
    const { nowMs } = this.#state.timers;
    return {
      table: event.tableName,
      key: event.key,
      owner: event.nodeName,
      lamportTime: event.lTime,
      value: event.value,
      deletedUntilMs: isDeletion ? deletedUntilMs(event.residualReapTime, nowMs) : undefined,
    };
  }

  /** A deletion that is told on when it has not long to live goes round for ever. */
  #isShortLived({ deletedUntilMs }: Entry): boolean {
    if (deletedUntilMs === undefined) return false;
    return deletedUntilMs - this.#state.timers.nowMs <= TOMBSTONE_MS / 6;
  }

  /** What is said of an entry of this node's own must be what this node says of it. */
  #ofThisNode(network: LocalNetwork, event: TableEvent): void {
    const known = network.entries.get(event.tableName, event.key);
    const isKnown = known?.owner === event.nodeName && known.lamportTime >= event.lTime;
    const isDeletion = event.type === TableEvent_Type.DELETE;
    if (isKnown || (!known && isDeletion)) return;
    this.#writes.correct(network, { table: event.tableName, key: event.key, value: event.value });
  }
}

function isTooLong(text: string, bytesMax: number): boolean {
  return text === '' || Buffer.byteLength(text) > bytesMax;
}

function isSound({ type, tableName, key, value }: TableEvent): boolean {
  const isKnownType = type >= TableEvent_Type.CREATE && type <= TableEvent_Type.DELETE;
  if (!isKnownType || value.length > VALUE_BYTES_MAX) return false;
  return !isTooLong(tableName, TABLE_NAME_BYTES_MAX) && !isTooLong(key, KEY_BYTES_MAX);
}
