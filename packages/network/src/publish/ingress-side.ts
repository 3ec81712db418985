import { formatSubnet, subnetOf } from '../address/ipv4.js';
import type { ElementDiff } from '../balance/element-diff.js';
import {
  HOST,
  type KernelCommand,
  type NamespacePath,
  type NetKernel,
} from '../kernel/contract.js';
import { ingressTable, MESH_TRANSLATION } from '../rules/ingress-table.js';
import { KeptTable } from '../rules/kept-table.js';
import { bareAddress } from '../sandbox/plan.js';
import type { PeerNode } from './ingress-nodes.js';
import type { MeshEffect } from './mesh-state.js';
import { planPeerRoutes } from './peer-routes.js';
import { isUplinkIntact, planUplink, planUplinkRemoval, type Uplink } from './uplink.js';

export interface IngressSideOptions {
  kernel: NetKernel;
  /** Of the ingress network, as the overlay made it. */
  namespace: NamespacePath;
  table: string;
  /** This node's own in the ingress network, with prefix length. */
  nodeAddress: string;
  uplink: Uplink;
  /** Subnets of bridges that stand on this host alone. */
  bridgeSubnets: readonly string[];
}

/** The mesh's part in the ingress namespace: it chooses a task, and brings the answers back. */
export class IngressSide {
  readonly #options: IngressSideOptions;
  readonly #table: KeptTable;

  constructor(options: IngressSideOptions) {
    this.#options = options;
    const { kernel, namespace, table, nodeAddress, uplink, bridgeSubnets } = options;
    const linkSubnet = formatSubnet(subnetOf(uplink.addresses.host));
    const layout = ingressTable({
      nodeAddress: bareAddress(nodeAddress),
      localSubnets: [...bridgeSubnets, linkSubnet],
    });
    this.#table = new KeptTable({
      kernel,
      namespace,
      table,
      layout,
      translation: MESH_TRANSLATION,
    });
  }

  /** Whether it was made for this place. */
  isAt(namespace: NamespacePath, nodeAddress: string): boolean {
    return this.#options.namespace === namespace && this.#options.nodeAddress === nodeAddress;
  }

  commands({ inner }: MeshEffect): KernelCommand[] {
    return this.#table.commands(inner);
  }

  /** Resolves how much was not as it should be. Rejects with what the kernel refuses. */
  async compare(wanted: () => ElementDiff, peers: readonly PeerNode[]): Promise<number> {
    const linked = await this.#mendUplink();
    const routed = await this.followPeers(peers);
    return linked + routed + (await this.#table.compare(wanted));
  }

  /** Resolves how many commands it took. */
  async followPeers(peers: readonly PeerNode[]): Promise<number> {
    const { kernel, namespace } = this.#options;
    const commands = planPeerRoutes(namespace, await kernel.inspect(namespace), peers);
    await kernel.run(commands);
    return commands.length;
  }

  async #mendUplink(): Promise<number> {
    const { kernel, namespace, uplink } = this.#options;
    const host = await kernel.inspect(HOST);
    if (isUplinkIntact(uplink, host, await kernel.inspect(namespace))) return 0;
    await kernel.run([planUplinkRemoval(uplink)], { onRefusal: 'continue' });
    await kernel.run(planUplink(namespace, uplink));
    return 1;
  }
}
