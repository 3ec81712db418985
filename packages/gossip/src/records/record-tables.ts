import type { Cancel } from '@skep/platform';
import type { GossipNode } from '../shell/node.js';
import {
  decodeEndpoint,
  ENDPOINT_TABLE,
  encodeEndpoint,
  endpointKey,
  type GossipedEndpoint,
} from './endpoint.js';
import { decodePeer, encodePeer, type GossipedPeer, PEER_TABLE } from './peer.js';

/** A record of another node. */
export type RecordOf<T> = T & {
  key: string;
  /** Name of the node that wrote it: of its present start. */
  owner: string;
};

/**
 * The tables of endpoints and peers, as records. What this node writes is under the id of what it is about:
 * a task's, a container's or a node's.
 */
export class RecordTables {
  readonly #node: GossipNode;
  /** Values as they were decoded: most of them stay the same between two looks. */
  readonly #decoded = new WeakMap<Uint8Array, object>();

  constructor(node: GossipNode) {
    this.#node = node;
  }

  joinNetwork(networkId: string): void {
    this.#node.joinNetwork(networkId);
  }

  /** What this node wrote there is gone. */
  leaveNetwork(networkId: string): void {
    this.#node.leaveNetwork(networkId);
  }

  /** Other nodes' endpoints in a network that was joined; records that make no sense are left out. */
  endpoints(networkId: string): RecordOf<GossipedEndpoint>[] {
    return this.#records(networkId, ENDPOINT_TABLE, decodeEndpoint);
  }

  peers(networkId: string): RecordOf<GossipedPeer>[] {
    return this.#records(networkId, PEER_TABLE, decodePeer);
  }

  /** Calls `listener` when records of other nodes have changed. Returns how to end that. */
  onChange(listener: () => void): Cancel {
    return this.#node.onChange((changes) => {
      if (changes.some(({ owner }) => owner !== this.#node.name)) listener();
    });
  }

  /**
   * Writes an endpoint. Others take an update for one thing alone: that it is out of balancing. Any other
   * change is a new record.
   */
  putEndpoint(networkId: string, id: string, endpoint: GossipedEndpoint): void {
    const key = endpointKey(networkId, id);
    const former = this.#node.ownEntry(networkId, ENDPOINT_TABLE, key);
    const enabled = encodeEndpoint({ ...endpoint, isDisabled: false });
    const isUpdate = endpoint.isDisabled && former && Buffer.compare(former, enabled) === 0;
    const value = encodeEndpoint(endpoint);
    this.#put(networkId, ENDPOINT_TABLE, key, { value, former, isUpdate: isUpdate ?? false });
  }

  putPeer(networkId: string, id: string, peer: GossipedPeer): void {
    const key = endpointKey(networkId, id);
    const former = this.#node.ownEntry(networkId, PEER_TABLE, key);
    const value = encodePeer(peer);
    this.#put(networkId, PEER_TABLE, key, { value, former, isUpdate: false });
  }

  deleteEndpoint(networkId: string, id: string): void {
    this.#node.delete(networkId, ENDPOINT_TABLE, endpointKey(networkId, id));
  }

  deletePeer(networkId: string, id: string): void {
    this.#node.delete(networkId, PEER_TABLE, endpointKey(networkId, id));
  }

  #put(
    networkId: string,
    table: string,
    key: string,
    write: { value: Uint8Array; former: Uint8Array | undefined; isUpdate: boolean },
  ): void {
    const { value, former, isUpdate } = write;
    const isSame = former && Buffer.compare(former, value) === 0;
    if (former && !isUpdate && !isSame) this.#node.delete(networkId, table, key);
    this.#node.put(networkId, table, key, value);
  }

  #records<T extends object>(
    networkId: string,
    table: string,
    decode: (value: Uint8Array) => T | undefined,
  ): RecordOf<T>[] {
    const entries = this.#node.entries(networkId, table);
    return entries.flatMap(({ key, owner, value }) => {
      if (owner === this.#node.name) return [];
      const record = (this.#decoded.get(value) as T | undefined) ?? decode(value);
      if (!record) return [];
      this.#decoded.set(value, record);
      return [{ ...record, key, owner }];
    });
  }
}
