import { spawn } from 'node:child_process';
import type { SandboxRecord } from '@skep/containers';
import type { Network, NetworkEndpoint, NetworkNode } from '@skep/network';
import { HostSwitch, hostAddress } from './host-switch.ts';
import { ask, INGRESS, plain, published, serve, task } from './network-lab.ts';
import { ASKER, Flow } from './vip-lab.ts';

const NODES = [1, 2, 3];
/** Of the published port and of the tasks, by TCP and UDP. */
const PORT = 9_090;
const TARGET_PORT = 8_000;
const FLOW_PATIENCE_MS = 3_000;

/** One node: the network room that works on its host. */
interface LabNode {
  number: number;
  network: Network;
  containers: Map<string, SandboxRecord>;
}

/** Three nodes on one switch, each a namespace, and a client on the switch. */
export class MeshLab {
  readonly #hosts: HostSwitch;
  readonly #nodes: LabNode[] = [];
  readonly #endpoints = new Map<string, NetworkEndpoint>();
  #clientAffinity = false;
  /** The node that the others take for a Docker Engine, and which takes them for such. */
  #stranger: number | undefined;

  private constructor(hosts: HostSwitch) {
    this.#hosts = hosts;
  }

  static async start(): Promise<MeshLab> {
    const lab = new MeshLab(await HostSwitch.start('mesh'));
    try {
      for (const number of NODES) {
        await lab.#hosts.addHost(number);
        const network = await lab.#boot(number);
        await network.networking.restore([]);
        lab.#nodes.push({ number, network, containers: new Map() });
      }
      await lab.tell();
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

  /** Path of the namespace of a client beside the nodes. */
  get client(): string {
    return this.#hosts.outside;
  }

  /** Of a node's host. */
  host(number: number): string {
    return this.#hosts.host(number);
  }

  network(number: number): Network {
    return this.#node(number).network;
  }

  /** Starts a task's container on a node, with a server in it that tells the task's name. */
  async runTask(id: string, number: number, address: string): Promise<string> {
    const namespace = await this.#setUp(number, task(id, address));
    this.#hosts.keep(await serve(namespace, TARGET_PORT, id));
    await this.change(id, { ...published(id, address), nodeId: nodeName(number) });
    return namespace;
  }

  /** Starts a plain container on a node's default network. */
  runPlain(id: string, number: number): Promise<string> {
    return this.#setUp(number, plain(id));
  }

  /** The container is gone, and then the swarm knows. */
  async end(id: string, number: number): Promise<void> {
    const { network, containers } = this.#node(number);
    await network.networking.tearDown(id);
    containers.delete(id);
    if (this.#endpoints.delete(id)) await this.tell();
  }

  async change(id: string, more: Partial<NetworkEndpoint>): Promise<void> {
    this.#endpoints.set(id, { ...published(id, ''), ...this.#endpoints.get(id), ...more });
    await this.tell();
  }

  async stick(clientAffinity: boolean): Promise<void> {
    this.#clientAffinity = clientAffinity;
    await this.tell();
  }

  async estrange(number: number | undefined): Promise<void> {
    this.#stranger = number;
    await this.tell();
  }

  /** Every node hears what is so now. */
  async tell(): Promise<void> {
    const service = {
      networkId: INGRESS.id,
      serviceId: 's',
      name: 's',
      aliases: [],
      virtualIp: '',
    };
    const rows = {
      ...{ complete: true, gone: [] },
      services: [{ ...service, clientAffinity: this.#clientAffinity }],
      endpoints: [...this.#endpoints.values()],
    };
    const updates = this.#nodes.map(({ network, number }) => {
      const networks = [{ ...INGRESS, nodeAddress: ingressAddress(number) }];
      const version = network.tables.version + 1n;
      const nodes = this.#nodes.map((other) => ({
        ...nodeRow(other.number),
        ownAgent: number === other.number || ![number, other.number].includes(this.#stranger ?? 0),
      }));
      return network.tables.update({ ...rows, version, networks, nodes });
    });
    await Promise.all(updates);
  }

  /** What a client in a namespace gets from the published port on a node's address. */
  ask(namespace: string, number: number, protocol = 'tcp'): Promise<string> {
    return ask(namespace, hostAddress(number), PORT, protocol);
  }

  /** What a node gets from the published port on a task's own address in the ingress network. */
  askTask(number: number, id: string, protocol = 'tcp'): Promise<string> {
    const [address = ''] = this.#endpoints.get(id)?.addresses ?? [];
    return ask(this.#ingressNamespace(number), address.replace(/\/.*/, ''), PORT, protocol);
  }

  askLoopback(number: number, protocol = 'tcp'): Promise<string> {
    return ask(this.host(number), '127.0.0.1', PORT, protocol);
  }

  /** A flow from the client to the published port of a node, which stays open. */
  open(number: number, protocol = 'tcp'): Flow {
    const words = [hostAddress(number), String(PORT), protocol, String(FLOW_PATIENCE_MS)];
    const args = [`--net=${this.client}`, process.execPath, '-e', ASKER, ...words];
    const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#hosts.keep(child);
    return new Flow(child);
  }

  /** The daemon of a node ends, and the next one takes over what it left in the kernel. */
  async restart(number: number): Promise<void> {
    const node = this.#node(number);
    await node.network.close();
    node.network = await this.#boot(number);
    await node.network.networking.restore([...node.containers.values()]);
    await this.tell();
  }

  async #setUp(number: number, request: SandboxRecord['request']): Promise<string> {
    const { network, containers } = this.#node(number);
    const state = await network.networking.setUp(request);
    containers.set(request.containerId, { request, state });
    return state.netnsPath;
  }

  async #boot(number: number): Promise<Network> {
    const network = await this.#hosts.boot(number);
    await network.overlays.configure({ address: hostAddress(number), udpPort: 4_789 });
    return network;
  }

  #ingressNamespace(number: number): string {
    return this.#node(number).network.overlays.place(INGRESS.id)?.namespace ?? '';
  }

  #node(number: number): LabNode {
    const node = this.#nodes[number - 1];
    if (!node) throw new RangeError(`no node ${number}`);
    return node;
  }
}

function nodeName(number: number): string {
  return `n${number}`;
}

/** Of a node in the ingress network, with prefix length. */
function ingressAddress(number: number): string {
  return `10.0.0.${number + 1}/24`;
}

function nodeRow(number: number): NetworkNode {
  const place = { networkId: INGRESS.id, nodeId: nodeName(number) };
  const addresses = { address: ingressAddress(number), tunnelAddress: hostAddress(number) };
  return {
    ...place,
    ...addresses,
    ownAgent: true,
    down: false,
    wireguardKey: new Uint8Array(),
    wireguardPort: 0,
  };
}
