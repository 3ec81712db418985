import { parseInterfaceAddress } from '../address/ipv4.js';
import type { ElementDiff } from '../balance/element-diff.js';
import { Depart, IngressSet } from '../rules/ingress-table.js';
import { macOfAddress } from '../sandbox/plan.js';
import type { NetworkEndpoint, NetworkNode } from '../tables/contract.js';
import { endpointAddress } from '../vip/endpoint-address.js';

/** Another node of our own kind in the ingress network: answers to what it sends go back to it. */
export interface PeerNode {
  /** Of its flows, and the number of the routing table that leads to it: its address as a u32. */
  mark: number;
  /** Its own address in the network, without prefix length. */
  gateway: string;
  /** Of its bridge. */
  mac: string;
}

/** Elements of one set as they should be. */
type Wanted = Map<string, string>;

/** Who sends flows here, and how flows leave for tasks that are not here. */
export class IngressNodes {
  readonly #nodes = new Map<string, NetworkNode>();
  /**
   * Who has an address: nodes by the endpoints of their tasks. An address can pass to the next task
   * before the one that had it is gone; the last one counts.
   */
  readonly #holders = new Map<string, Map<string, string>>();
  #ownAddress = '';
  #peers: PeerNode[] = [];
  /** What the sets hold since the last time. */
  #senders: Wanted = new Map();
  readonly #elsewhere: Wanted = new Map();
  readonly #touched = new Set<string>();
  #nodesTouched = false;

  /** Of this node, with prefix length; empty: it has none. */
  setOwnAddress(address: string): void {
    this.#ownAddress = address;
    this.#touchNodes();
  }

  putNode(node: NetworkNode): void {
    this.#nodes.set(node.nodeId, node);
    this.#touchNodes();
  }

  removeNode(nodeId: string): void {
    this.#nodes.delete(nodeId);
    this.#touchNodes();
  }

  putEndpoint(endpoint: NetworkEndpoint): void {
    const address = endpointAddress(endpoint);
    if (!address) return;
    const holders = this.#holders.get(address) ?? new Map<string, string>();
    this.#holders.set(address, holders.set(endpoint.id, endpoint.nodeId));
    this.#touched.add(address);
  }

  removeEndpoint(endpoint: NetworkEndpoint): void {
    const address = endpointAddress(endpoint);
    if (!address) return;
    const holders = this.#holders.get(address);
    holders?.delete(endpoint.id);
    if (holders?.size === 0) this.#holders.delete(address);
    this.#touched.add(address);
  }

  isDown(nodeId: string): boolean {
    return this.#nodes.get(nodeId)?.down ?? false;
  }

  /** Whether a task has this address. */
  isHeld(address: string): boolean {
    return this.#holders.has(address);
  }

  peers(): readonly PeerNode[] {
    return this.#peers;
  }

  /** What all changes since the last time add up to; resolves whether it concerns nodes. */
  settle(diff: ElementDiff): boolean {
    const nodesChanged = this.#nodesTouched;
    if (nodesChanged) this.#settleNodes(diff);
    if (this.#touched.size > 0) this.#settleTasks(diff);
    this.#nodesTouched = false;
    this.#touched.clear();
    return nodesChanged;
  }

  addTo(diff: ElementDiff): void {
    for (const [mac, mark] of this.#senders) diff.note(IngressSet.SENDERS, mac, undefined, mark);
    for (const [address, verdict] of this.#elsewhere) {
      diff.note(IngressSet.ELSEWHERE, address, undefined, verdict);
    }
  }

  #touchNodes(): void {
    this.#nodesTouched = true;
    for (const address of this.#holders.keys()) this.#touched.add(address);
  }

  #settleNodes(diff: ElementDiff): void {
    this.#peers = [...this.#nodes.values()]
      .filter(({ ownAgent, address }) => ownAgent && address !== this.#ownAddress)
      .flatMap((node) => peerOf(node) ?? []);
    const senders = new Map(this.#peers.map(({ mac, mark }) => [mac, String(mark)]));
    for (const [mac, mark] of this.#senders) {
      diff.note(IngressSet.SENDERS, mac, mark, senders.get(mac));
    }
    for (const [mac, mark] of senders) {
      if (!this.#senders.has(mac)) diff.note(IngressSet.SENDERS, mac, undefined, mark);
    }
    this.#senders = senders;
  }

  #settleTasks(diff: ElementDiff): void {
    for (const address of this.#touched) {
      const before = this.#elsewhere.get(address);
      const after = this.#verdictFor([...(this.#holders.get(address)?.values() ?? [])].at(-1));
      diff.note(IngressSet.ELSEWHERE, address, before, after);
      if (after) this.#elsewhere.set(address, after);
      else this.#elsewhere.delete(address);
    }
  }

  /** Undefined for what is here, for what is nowhere, and for a node that is not known yet. */
  #verdictFor(nodeId: string | undefined): string | undefined {
    const node = nodeId === undefined ? undefined : this.#nodes.get(nodeId);
    if (!node || node.address === this.#ownAddress) return undefined;
    return node.ownAgent ? Depart.TO_OWN : Depart.TO_DOCKER;
  }
}

function peerOf({ address }: NetworkNode): PeerNode | undefined {
  const parsed = parseInterfaceAddress(address);
  if (!parsed) return undefined;
  const gateway = address.slice(0, address.indexOf('/'));
  return { mark: parsed.address, gateway, mac: macOfAddress(address) };
}
