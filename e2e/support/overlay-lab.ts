import { join } from 'node:path';
import type { SandboxRecord, SandboxRequest, TaskEndpoint } from '@skep/containers';
import type { Network, NetworkEndpoint, OverlayNetwork } from '@skep/network';
import { HostSwitch, hostAddress, hostAddress6 } from './host-switch.ts';
import { plain, serve, shell } from './network-lab.ts';

const UDP_PORT = 4_789;

interface LabNode {
  number: number;
  network: Network;
}

/** An overlay network as all nodes have it; `nodeAddress` is each node's own. */
export function overlay(name: string, more: Partial<OverlayNetwork> = {}): OverlayNetwork {
  return {
    id: `${name}-network-id`,
    name,
    subnets: [{ subnet: '10.7.0.0/24', gateway: '10.7.0.1', vni: 4_107 }],
    mtuBytes: 0,
    encrypted: false,
    internal: false,
    ingress: false,
    nodeAddress: '',
    ...more,
  };
}

/** Nodes on one switch, each a host with a network room, and what the swarm would tell them. */
export class OverlayLab {
  readonly #hosts: HostSwitch;
  readonly #nodes: LabNode[] = [];
  readonly #networks: OverlayNetwork[] = [];
  readonly #endpoints = new Map<string, NetworkEndpoint>();
  readonly #records = new Map<string, SandboxRecord>();
  #ipVersion: 4 | 6 = 4;
  #version = 0n;

  private constructor(hosts: HostSwitch) {
    this.#hosts = hosts;
  }

  static async start(nodeCount: number): Promise<OverlayLab> {
    const lab = new OverlayLab(await HostSwitch.start('overlay'));
    try {
      for (let number = 1; number <= nodeCount; number++) {
        await lab.#hosts.addHost(number);
        lab.#nodes.push({ number, network: await lab.#boot(number) });
      }
      return lab;
    } catch (error) {
      await lab.cleanUp();
      throw error;
    }
  }

  async cleanUp(): Promise<void> {
    try {
      for (const { network } of this.#nodes) await network.close({ removeAll: true });
    } finally {
      await this.#hosts.cleanUp();
    }
  }

  /** A node by its number, 1 … */
  node(number: number): LabNode {
    const node = this.#nodes[number - 1];
    if (!node) throw new RangeError(`no node ${number}`);
    return node;
  }

  /** Runs a shell script in a namespace of a node: its host's, or the one of a path. */
  within(number: number, script: string, path = ''): Promise<string> {
    return shell(`nsenter --net=${path || this.#hosts.host(number)} sh -ec '${script}'`);
  }

  /** Where a node keeps what stands in a network. */
  namespaceOf(number: number, { id }: OverlayNetwork): string {
    return join(this.#hosts.directoryOf(number), 'exec', 'netns', `ov-${id.slice(0, 12)}`);
  }

  /** All nodes take part in these networks, and in no others. */
  async tellNetworks(...networks: OverlayNetwork[]): Promise<void> {
    this.#networks.splice(0, this.#networks.length, ...networks);
    await this.tell();
  }

  /** A container on a node, with a server on port 8000 that tells its name; the path of its namespace. */
  async run(
    number: number,
    id: string,
    attachments: (readonly [OverlayNetwork, string])[],
  ): Promise<string> {
    const endpoints = attachments.map(([network, address]) => endpointOn(network, address));
    for (const endpoint of endpoints) this.#remember(number, id, endpoint);
    await this.tell();
    const request: SandboxRequest = { ...plain(id), mode: 'task', endpoints };
    const state = await this.node(number).network.networking.setUp(request);
    this.#records.set(id, { request, state });
    this.#hosts.keep(await serve(state.netnsPath, 8_000, id));
    return state.netnsPath;
  }

  async connect(number: number, id: string, network: OverlayNetwork, address: string) {
    const endpoint = endpointOn(network, address);
    this.#remember(number, id, endpoint);
    await this.tell();
    this.#records.set(id, await this.node(number).network.networking.connect(id, endpoint));
  }

  async disconnect(number: number, id: string, network: OverlayNetwork): Promise<void> {
    const { networking } = this.node(number).network;
    this.#records.set(id, await networking.disconnect(id, network.id));
    this.#endpoints.delete(`${network.id} ${id}`);
    await this.tell();
  }

  async end(number: number, id: string): Promise<void> {
    await this.node(number).network.networking.tearDown(id);
    this.#records.delete(id);
    for (const [key, endpoint] of this.#endpoints) {
      if (endpoint.id === id) this.#endpoints.delete(key);
    }
    await this.tell();
  }

  /** The node's daemon starts again, after whatever was done while there was none. */
  async restart(number: number, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const node = this.node(number);
    await node.network.close();
    await meanwhile();
    node.network = await this.#boot(number);
    await this.tell();
  }

  /** The nodes' tunnels meet at other addresses from now on. */
  async tunnelBy(ipVersion: 4 | 6): Promise<void> {
    this.#ipVersion = ipVersion;
    for (const { network, number } of this.#nodes) {
      await network.overlays.configure({ address: this.#tunnelOf(number), udpPort: UDP_PORT });
    }
    await this.tell();
  }

  /** Every node hears all there is. Resolves when their kernels are so. */
  async tell(): Promise<void> {
    this.#version += 1n;
    const nodes = this.#networks.flatMap(({ id: networkId, subnets }) =>
      this.#nodes.map(({ number }) => ({
        networkId,
        nodeId: `n${number}`,
        address: nodeAddress(subnets, number),
        tunnelAddress: this.#tunnelOf(number),
        ownAgent: true,
        down: false,
        wireguardKey: new Uint8Array(),
        wireguardPort: 0,
      })),
    );
    const rows = { nodes, services: [], endpoints: [...this.#endpoints.values()], gone: [] };
    const updates = this.#nodes.map(({ network, number }) => {
      const networks = this.#networks.map((row) => {
        return { ...row, nodeAddress: nodeAddress(row.subnets, number) };
      });
      return network.tables.update({ version: this.#version, complete: true, networks, ...rows });
    });
    await Promise.all(updates);
  }

  #remember(number: number, id: string, { networkId, address }: TaskEndpoint): void {
    const none = { serviceId: '', aliases: [], slot: 0, ready: true, ports: [] };
    const row = { networkId, id, nodeId: `n${number}`, addresses: [address], name: id, ...none };
    this.#endpoints.set(`${networkId} ${id}`, row);
  }

  async #boot(number: number): Promise<Network> {
    const network = await this.#hosts.boot(number);
    const directory = `${this.#hosts.directoryOf(number)}/`;
    const known = [...this.#records.values()];
    await network.networking.restore(
      known.filter(({ state }) => state.netnsPath.startsWith(directory)),
    );
    await network.overlays.configure({ address: this.#tunnelOf(number), udpPort: UDP_PORT });
    return network;
  }

  #tunnelOf(number: number): string {
    // Written otherwise than the kernel shows it.
    return this.#ipVersion === 4 ? hostAddress(number) : hostAddress6(number).toUpperCase();
  }
}

/** The nodes' addresses are the second and following of a network's first subnet. */
function nodeAddress(subnets: OverlayNetwork['subnets'], number: number): string {
  const [base = '', prefixLength] = subnets[0]?.subnet.split('/') ?? [];
  return `${base.replace(/\d+$/, String(number + 1))}/${prefixLength}`;
}

function endpointOn(network: OverlayNetwork, address: string): TaskEndpoint {
  const { id: networkId, name: networkName, ingress, internal, subnets } = network;
  const { subnet = '', gateway = '' } = subnets[0] ?? {};
  return { networkId, networkName, subnet, gateway, ingress, internal, address, aliases: [] };
}
