import { ElementDiff, type Elements } from '../balance/element-diff.js';
import { BalanceSet } from '../balance/sets.js';
import { IngressSet } from '../rules/ingress-table.js';
import type { NetworkEndpoint, OverlayNetwork, TableChange } from '../tables/contract.js';
import { endpointAddress } from '../vip/endpoint-address.js';
import { IngressNodes, type PeerNode } from './ingress-nodes.js';
import { type PortsEffect, PublishedPorts } from './published-ports.js';

export interface MeshDeparture {
  address: string;
  /** Only datagrams go elsewhere: what is left of its connections drains. */
  udpOnly: boolean;
}

/** What a batch of changes means for the kernel. */
export interface MeshEffect extends PortsEffect {
  /** For the ingress namespace's table. */
  inner: ElementDiff;
  /** Tasks to which flows must not go on. */
  departures: MeshDeparture[];
  /** Nodes came, went, or moved. */
  nodesChanged: boolean;
}

interface EndpointChange {
  before?: NetworkEndpoint | undefined;
  after?: NetworkEndpoint | undefined;
}

/** What the routing mesh should be, made from the rows of the ingress network alone. */
export class MeshState {
  #network: OverlayNetwork | undefined;
  readonly #nodes = new IngressNodes();
  readonly #ports = new PublishedPorts();
  /** Addresses of the tasks that an earlier process had sent flows to. */
  #adopted = new Set<string>();

  /** The ingress network, when this node has an address there. */
  get network(): OverlayNetwork | undefined {
    return this.#network;
  }

  /** Goes on from the slots that are in the kernel already. Before the first `apply`. */
  adopt(elements: Elements): void {
    this.#ports.adopt(elements);
    const targets = [...(elements.get(BalanceSet.BACKENDS)?.values() ?? [])];
    const elsewhere = elements.get(IngressSet.ELSEWHERE)?.keys() ?? [];
    this.#adopted = new Set([
      ...targets.map((target) => target.split(' . ')[0] ?? ''),
      ...elsewhere,
    ]);
  }

  apply(changes: readonly TableChange[]): MeshEffect {
    const departures: MeshDeparture[] = [];
    for (const change of changes) {
      if (change.table === 'network') this.#takeNetwork(change);
      else if (change.table === 'endpoint') departures.push(...this.#takeEndpoint(change));
      else if (change.table === 'node') this.#takeNode(change);
      else this.#takeService(change);
    }
    for (const address of this.#adopted) {
      if (!this.#nodes.isHeld(address)) departures.push({ address, udpOnly: false });
    }
    this.#adopted.clear();
    const inner = new ElementDiff();
    const nodesChanged = this.#nodes.settle(inner);
    return { ...this.#ports.settle(inner), inner, departures, nodesChanged };
  }

  /** All that the ingress namespace's table should hold. */
  all(): ElementDiff {
    const diff = new ElementDiff();
    this.#ports.addTo(diff);
    this.#nodes.addTo(diff);
    return diff;
  }

  /** protocol . port of what this node answers. */
  ports(): string[] {
    return this.#ports.keys();
  }

  peers(): readonly PeerNode[] {
    return this.#nodes.peers();
  }

  #takeNetwork({ before, after }: Extract<TableChange, { table: 'network' }>): void {
    if (after?.ingress) this.#network = after;
    else if (this.#isIngress((before ?? after)?.id)) this.#network = undefined;
    else return;
    this.#nodes.setOwnAddress(this.#network?.nodeAddress ?? '');
  }

  #takeNode({ before, after }: Extract<TableChange, { table: 'node' }>): void {
    const row = after ?? before;
    if (!row || !this.#isIngress(row.networkId)) return;
    if (after) this.#nodes.putNode(after);
    else this.#nodes.removeNode(row.nodeId);
  }

  #takeService({ before, after }: Extract<TableChange, { table: 'service' }>): void {
    const row = after ?? before;
    if (!row || !this.#isIngress(row.networkId)) return;
    if (after) this.#ports.putService(after);
    else this.#ports.removeService(row.serviceId);
  }

  #takeEndpoint({ before, after }: EndpointChange): MeshDeparture[] {
    const row = after ?? before;
    if (!row || !this.#isIngress(row.networkId)) return [];
    if (before) {
      this.#ports.removeEndpoint(before);
      this.#nodes.removeEndpoint(before);
    }
    if (after) {
      this.#ports.putEndpoint(after);
      this.#nodes.putEndpoint(after);
    }
    return this.#departures({ before, after });
  }

  /** None, or one: who is gone, is on a node that is, or takes nothing new any more. */
  #departures({ before, after }: EndpointChange): MeshDeparture[] {
    const address = before && endpointAddress(before);
    if (!address) return [];
    if (!after || !isSamePlace(before, after)) return [{ address, udpOnly: false }];
    if (after.ready || !before.ready) return [];
    if (this.#nodes.isDown(after.nodeId)) return [{ address, udpOnly: false }];
    const hasUdp = after.ports.some(({ protocol }) => protocol === 'udp');
    return hasUdp ? [{ address, udpOnly: true }] : [];
  }

  #isIngress(networkId: string | undefined): boolean {
    return this.#network !== undefined && this.#network.id === networkId;
  }
}

function isSamePlace(one: NetworkEndpoint, other: NetworkEndpoint): boolean {
  return one.nodeId === other.nodeId && endpointAddress(one) === endpointAddress(other);
}
