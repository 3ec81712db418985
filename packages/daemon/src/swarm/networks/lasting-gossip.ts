import type { RecordTables } from '@skep/gossip';
import type {
  Gossiped,
  GossipedEndpoint,
  GossipedPeer,
  GossipView,
  GossipWriter,
} from '@skep/network';
import type { Cancel } from '@skep/platform';

/** What this node said of one network, by the id of what it is about. */
interface Said {
  endpoints: Map<string, GossipedEndpoint>;
  peers: Map<string, GossipedPeer>;
}

/**
 * Gossip for those that stay while gossip itself comes and goes: with no swarm there is none. What they
 * said is said again when it starts.
 */
export class LastingGossip implements GossipView, GossipWriter {
  readonly #said = new Map<string, Said>();
  readonly #listeners = new Set<() => void>();
  #records: RecordTables | undefined;
  #forget: Cancel = () => {};

  /** Gossip starts, or (undefined) ends. */
  attach(records: RecordTables | undefined): void {
    this.#forget();
    this.#forget = records?.onChange(() => this.#changed()) ?? (() => {});
    this.#records = records;
    for (const [networkId, { endpoints, peers }] of this.#said) {
      records?.joinNetwork(networkId);
      for (const [id, peer] of peers) records?.putPeer(networkId, id, peer);
      for (const [id, endpoint] of endpoints) records?.putEndpoint(networkId, id, endpoint);
    }
    this.#changed();
  }

  endpoints(networkId: string): Gossiped<GossipedEndpoint>[] {
    return this.#records?.endpoints(networkId) ?? [];
  }

  peers(networkId: string): Gossiped<GossipedPeer>[] {
    return this.#records?.peers(networkId) ?? [];
  }

  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  joinNetwork(networkId: string): void {
    if (this.#said.has(networkId)) return;
    this.#said.set(networkId, { endpoints: new Map(), peers: new Map() });
    this.#records?.joinNetwork(networkId);
  }

  leaveNetwork(networkId: string): void {
    this.#said.delete(networkId);
    this.#records?.leaveNetwork(networkId);
  }

  putEndpoint(networkId: string, id: string, endpoint: GossipedEndpoint): void {
    this.#said.get(networkId)?.endpoints.set(id, endpoint);
    this.#records?.putEndpoint(networkId, id, endpoint);
  }

  putPeer(networkId: string, id: string, peer: GossipedPeer): void {
    this.#said.get(networkId)?.peers.set(id, peer);
    this.#records?.putPeer(networkId, id, peer);
  }

  deleteEndpoint(networkId: string, id: string): void {
    this.#said.get(networkId)?.endpoints.delete(id);
    this.#records?.deleteEndpoint(networkId, id);
  }

  deletePeer(networkId: string, id: string): void {
    this.#said.get(networkId)?.peers.delete(id);
    this.#records?.deletePeer(networkId, id);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
