import type {
  Gossiped,
  GossipedEndpoint,
  GossipedPeer,
  GossipView,
  GossipWriter,
} from './contract.js';

/** Gossip in memory: what others say is set, what this node says is noted. */
export class SimGossip implements GossipView, GossipWriter {
  readonly said: string[] = [];
  readonly endpointsIn = new Map<string, Gossiped<GossipedEndpoint>[]>();
  readonly peersIn = new Map<string, Gossiped<GossipedPeer>[]>();
  readonly #listeners = new Set<() => void>();

  endpoints(networkId: string): Gossiped<GossipedEndpoint>[] {
    return this.endpointsIn.get(networkId) ?? [];
  }

  peers(networkId: string): Gossiped<GossipedPeer>[] {
    return this.peersIn.get(networkId) ?? [];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What others say in `net` from now on. */
  hear(peers: Gossiped<GossipedPeer>[], endpoints: Gossiped<GossipedEndpoint>[] = []): void {
    this.peersIn.set('net', peers);
    this.endpointsIn.set('net', endpoints);
    for (const listener of this.#listeners) listener();
  }

  joinNetwork(networkId: string): void {
    this.said.push(`join ${networkId}`);
  }

  leaveNetwork(networkId: string): void {
    this.said.push(`leave ${networkId}`);
  }

  putEndpoint(networkId: string, id: string, endpoint: GossipedEndpoint): void {
    const { name, isDisabled, virtualIp } = endpoint;
    this.said.push(`endpoint ${networkId} ${id} ${name} ${virtualIp}${isDisabled ? ' off' : ''}`);
  }

  putPeer(networkId: string, id: string, { address, mac, tunnelAddress }: GossipedPeer): void {
    this.said.push(`peer ${networkId} ${id} ${address} ${mac} ${tunnelAddress}`);
  }

  deleteEndpoint(networkId: string, id: string): void {
    this.said.push(`no endpoint ${networkId} ${id}`);
  }

  deletePeer(networkId: string, id: string): void {
    this.said.push(`no peer ${networkId} ${id}`);
  }
}

/** A peer of a Docker Engine that is called `owner`. */
export function peerOf(key: string, owner: string, address: string): Gossiped<GossipedPeer> {
  return { key, owner, address, mac: '02:42:0a:00:01:09', tunnelAddress: '192.168.9.9' };
}

export function recordOf(
  key: string,
  owner: string,
  more: Partial<GossipedEndpoint> = {},
): Gossiped<GossipedEndpoint> {
  return {
    ...{ key, owner, name: `web.2.${key}`, address: '10.0.1.9', serviceId: 's1' },
    ...{ serviceName: 'web', virtualIp: '10.0.1.100', serviceAliases: ['www'], aliases: [] },
    ...{ ports: [], isDisabled: false, ...more },
  };
}
