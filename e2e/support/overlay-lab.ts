import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxRecord, SandboxRequest, TaskEndpoint } from '@skep/containers';
import {
  createNetwork,
  type Network,
  type NetworkEndpoint,
  type OverlayNetwork,
} from '@skep/network';
import koffi from 'koffi';
import { until } from './exec.ts';
import { plain, serve, shell } from './network-lab.ts';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int kind)');

export const SWITCH_ADDRESS = '198.51.100.99';
const SWITCH = 'sw';
const UDP_PORT = 4_789;

/** Ports of hosts are held elsewhere: this process is in one namespace at a time. */
const NO_HOLDER = { hold: async () => ({ release() {} }) };

interface LabNode {
  number: number;
  /** Of its host, on the switch. */
  address: string;
  /** Of its host. */
  namespaceFd: number;
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

/**
 * Nodes on one switch, each a namespace with a network room of its own, and what the swarm would tell
 * them. There is no way beyond the switch.
 */
export class OverlayLab {
  readonly #machineNamespace = openSync('/proc/thread-self/ns/net', 'r');
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  readonly #nodes: LabNode[] = [];
  readonly #networks: OverlayNetwork[] = [];
  readonly #endpoints = new Map<string, NetworkEndpoint>();
  readonly #requests = new Map<string, SandboxRecord>();
  #switchPid = 0;
  #ipVersion: 4 | 6 = 4;
  #version = 0n;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(nodeCount: number): Promise<OverlayLab> {
    const lab = new OverlayLab(await mkdtemp(join(tmpdir(), 'skep-overlay-')));
    unshare(CLONE_NEWNET);
    const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
    lab.#children.push(holder);
    lab.#switchPid = holder.pid ?? 0;
    const own = await shell('readlink /proc/self/ns/net');
    const entered = (now: string) => now !== own;
    await until(() => shell(`readlink ${lab.switchNamespace}`), entered);
    await shell(
      `nsenter --net=${lab.switchNamespace} sh -ec 'ip link set lo up; ` +
        `ip link add ${SWITCH} type bridge; ip addr add ${SWITCH_ADDRESS}/24 dev ${SWITCH}; ` +
        `ip link set ${SWITCH} up'`,
    );
    for (let number = 1; number <= nodeCount; number++) await lab.#addNode(number);
    return lab;
  }

  async cleanUp(): Promise<void> {
    try {
      for (const node of this.#nodes) {
        setns(node.namespaceFd, CLONE_NEWNET);
        await node.network.close({ removeAll: true });
        closeSync(node.namespaceFd);
      }
    } finally {
      for (const child of this.#children) child.kill('SIGKILL');
      setns(this.#machineNamespace, CLONE_NEWNET);
      closeSync(this.#machineNamespace);
      await rm(this.#directory, { recursive: true, force: true });
    }
  }

  get switchNamespace(): string {
    return `/proc/${this.#switchPid}/ns/net`;
  }

  /** A node by its number, 1 … */
  node(number: number): LabNode {
    const node = this.#nodes[number - 1];
    if (!node) throw new RangeError(`no node ${number}`);
    return node;
  }

  /** Runs a shell script in a namespace of a node: its host's, or the one of a path. */
  within(number: number, script: string, path = ''): Promise<string> {
    const namespace = path || `/proc/${process.pid}/fd/${this.node(number).namespaceFd}`;
    return shell(`nsenter --net=${namespace} sh -ec '${script}'`);
  }

  /** Where a node keeps what stands in a network. */
  namespaceOf(number: number, { id }: OverlayNetwork): string {
    return join(this.#directory, `n${number}`, 'exec', 'netns', `ov-${id.slice(0, 12)}`);
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
    this.#requests.set(id, { request, state });
    this.#children.push(await serve(state.netnsPath, 8_000, id));
    return state.netnsPath;
  }

  async connect(number: number, id: string, network: OverlayNetwork, address: string) {
    const endpoint = endpointOn(network, address);
    this.#remember(number, id, endpoint);
    await this.tell();
    this.#requests.set(id, await this.node(number).network.networking.connect(id, endpoint));
  }

  async disconnect(number: number, id: string, network: OverlayNetwork): Promise<void> {
    const { networking } = this.node(number).network;
    this.#requests.set(id, await networking.disconnect(id, network.id));
    this.#endpoints.delete(`${network.id} ${id}`);
    await this.tell();
  }

  async end(number: number, id: string): Promise<void> {
    await this.node(number).network.networking.tearDown(id);
    this.#requests.delete(id);
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
    setns(node.namespaceFd, CLONE_NEWNET);
    node.network = await this.#boot(number, [...this.#requests.values()]);
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

  async #addNode(number: number): Promise<void> {
    const address = `198.51.100.${number}`;
    unshare(CLONE_NEWNET);
    await shell(
      `ip link set lo up; ip link add cable type veth peer name cable${number} ` +
        `netns ${this.#switchPid}; ip addr add ${address}/24 dev cable; ` +
        `ip addr add fd99::${number}/64 dev cable nodad; ip link set cable up; ` +
        `ip route add default via ${SWITCH_ADDRESS}`,
    );
    const plug = `ip link set cable${number} master ${SWITCH} up`;
    await shell(`nsenter --net=${this.switchNamespace} ${plug}`);
    const namespaceFd = openSync('/proc/thread-self/ns/net', 'r');
    const network = await this.#boot(number, []);
    this.#nodes.push({ number, address, namespaceFd, network });
  }

  /** In the namespace that this thread is in. */
  async #boot(number: number, known: SandboxRecord[]): Promise<Network> {
    const directory = join(this.#directory, `n${number}`);
    const roots = { dataRoot: join(directory, 'data'), execRoot: join(directory, 'exec') };
    const network = await createNetwork({ ...roots, holder: NO_HOLDER });
    const own = known.filter(({ state }) => state.netnsPath.startsWith(`${directory}/`));
    await network.networking.restore(own);
    await network.overlays.configure({ address: this.#tunnelOf(number), udpPort: UDP_PORT });
    return network;
  }

  #tunnelOf(number: number): string {
    return this.#ipVersion === 4 ? `198.51.100.${number}` : `FD99:0::${number}`;
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
