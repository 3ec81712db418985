import { invariant } from '@skep/platform';
import { NetworkEvent_Type, NodeEvent_Type, TableEvent_Type } from '@skep/wire/networkdb';
import { encodeNetworkEvent, encodeNodeEvent, encodeTableEvent } from '../../codec/envelope.js';
import {
  KEY_BYTES_MAX,
  NETWORKS_MAX,
  TABLE_NAME_BYTES_MAX,
  TOMBSTONE_MS,
  VALUE_BYTES_MAX,
} from '../../limits.js';
import { type Entry, entryId, residualSeconds } from './entries.js';
import { type Intent, LocalNetwork } from './local-network.js';
import { type DatabaseState, isEqual } from './state.js';

/** What this node does itself, and says. */
export class Writes {
  readonly #state: DatabaseState;
  #hasLeft = false;

  constructor(state: DatabaseState) {
    this.#state = state;
  }

  /** This node is there. */
  announce(): void {
    this.#tellOfNode(NodeEvent_Type.JOIN);
  }

  leave(): void {
    this.#hasLeft = true;
    this.#tellOfNode(NodeEvent_Type.LEAVE);
  }

  joinNetwork(id: string): void {
    const { networks, attachments, eventBytesMax } = this.#state;
    if (networks.has(id)) return;
    invariant(networks.size < NETWORKS_MAX, 'too many networks');
    const nodes = () => attachments.nodesOf(id).length;
    networks.set(id, new LocalNetwork({ id, nodes, eventBytesMax }));
    this.#attach(id, undefined);
  }

  /** What this node had there counts as deleted by that. */
  leaveNetwork(id: string): void {
    const { self, networks, timers } = this.#state;
    const network = networks.get(id);
    if (!network) return;
    const owners = new Set([self, ...[...network.entries.all()].map(({ owner }) => owner)]);
    for (const owner of owners) {
      this.#state.changing(owner, () => {
        for (const entry of network.entries.all()) {
          if (entry.owner === owner) network.entries.delete(entry);
        }
      });
    }
    networks.delete(id);
    this.#attach(id, timers.nowMs);
  }

  /** How this node stands in a network, as others are told. */
  attachmentEvent(id: string): Uint8Array | undefined {
    const { self, attachments } = this.#state;
    const attachment = attachments.get(self, id);
    if (!attachment) return undefined;
    const { lamportTime: lTime, isLeaving } = attachment;
    const type = isLeaving ? NetworkEvent_Type.LEAVE : NetworkEvent_Type.JOIN;
    return encodeNetworkEvent({ type, lTime, nodeName: self, networkId: id });
  }

  /** Says anew in which networks this node is: whoever hears of it for the first time has missed it. */
  restamp(): void {
    const { self, attachments, nodeClock } = this.#state;
    const lamportTime = nodeClock.next();
    for (const { networkId, isLeaving } of attachments.of(self)) {
      if (!isLeaving) attachments.set(self, networkId, lamportTime, undefined);
    }
  }

  put(networkId: string, intent: Intent): void {
    const network = this.#state.networks.get(networkId);
    invariant(network, 'a write to a network that was not joined', { networkId });
    checkSizes(intent);
    const { table, key, value } = intent;
    network.intents.set(entryId(table, key), intent);
    const known = this.#ownEntry(network, intent);
    if (known && isEqual(known.value, value)) return;
    this.#write(network, intent, known ? TableEvent_Type.UPDATE : TableEvent_Type.CREATE);
  }

  /** Nothing happens where there is no such entry of this node. */
  delete(networkId: string, table: string, key: string): void {
    const network = this.#state.networks.get(networkId);
    const intent = network?.intents.get(entryId(table, key));
    if (!network || !intent) return;
    network.intents.delete(entryId(table, key));
    if (this.#ownEntry(network, intent)) this.#write(network, intent, TableEvent_Type.DELETE);
  }

  /** Something else is said of an entry of this node: it says again, and later, what is so. */
  correct(network: LocalNetwork, said: Intent): void {
    if (this.#state.flaws.has('silent-owner')) return;
    const intent = network.intents.get(entryId(said.table, said.key));
    if (intent) this.#write(network, intent, TableEvent_Type.CREATE);
    else this.#write(network, said, TableEvent_Type.DELETE);
  }

  /**
   * Puts right what others hold wrong of this node: that it left, that it is (or is not) in a network, or
   * that somebody else has an entry that is its own.
   */
  repair(): void {
    if (!this.#state.isContradicted || this.#hasLeft) return;
    if (this.#state.flaws.has('silent-owner')) return;
    this.#state.isContradicted = false;
    this.announce();
    for (const network of this.#state.networks.values()) {
      this.#attach(network.id, undefined);
      for (const intent of network.intents.values()) {
        const isHeld = isEqual(this.#ownEntry(network, intent)?.value, intent.value);
        if (isHeld && !network.isForgotten) continue;
        this.#write(network, intent, TableEvent_Type.CREATE);
      }
      network.isForgotten = false;
    }
  }

  /** An entry of this node that stands. */
  #ownEntry(network: LocalNetwork, { table, key }: Intent): Entry | undefined {
    const entry = network.entries.get(table, key);
    const isOwn = entry?.owner === this.#state.self && entry.deletedUntilMs === undefined;
    return isOwn ? entry : undefined;
  }

  #write(network: LocalNetwork, { table, key, value }: Intent, type: TableEvent_Type): void {
    const { self, tableClock, timers } = this.#state;
    const isDeletion = type === TableEvent_Type.DELETE;
    const entry: Entry = {
      ...{ table, key, value, owner: self, lamportTime: tableClock.next() },
      deletedUntilMs: isDeletion ? timers.nowMs + TOMBSTONE_MS : undefined,
    };
    if (!this.#state.write(network, entry)) return;
    const event = encodeEntry(network.id, entry, type, timers.nowMs);
    network.queue.push(event, entryId(table, key));
  }

  #attach(id: string, leftMs: number | undefined): void {
    const { self, attachments, nodeClock, networks } = this.#state;
    attachments.set(self, id, nodeClock.next(), leftMs);
    const event = this.attachmentEvent(id);
    if (!event) return;
    this.#state.tellAll(event, `${id}\0${self}`);
    // Beside its entries as well: those who have not heard of it drop what it has there.
    networks.get(id)?.queue.push(event, self);
  }

  #tellOfNode(type: NodeEvent_Type): void {
    const { self, nodeClock } = this.#state;
    const event = { type, lTime: nodeClock.next(), nodeName: self };
    this.#state.tellAll(encodeNodeEvent(event), self);
  }
}

/** An entry as others are told of it. */
export function encodeEntry(
  networkId: string,
  entry: Entry,
  type: TableEvent_Type,
  nowMs: number,
): Uint8Array {
  const { table: tableName, key, value, owner: nodeName, lamportTime: lTime } = entry;
  const residualReapTime = residualSeconds(entry, nowMs);
  const fields = { type, lTime, nodeName, networkId, tableName, key, value };
  return encodeTableEvent({ ...fields, residualReapTime });
}

function checkSizes({ table, key, value }: Intent): void {
  invariant(Buffer.byteLength(table) <= TABLE_NAME_BYTES_MAX, "a table's name is too long");
  invariant(Buffer.byteLength(key) <= KEY_BYTES_MAX, 'a key is too long', { table });
  invariant(value.length <= VALUE_BYTES_MAX, 'a value is too long', { table, key });
}
