import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxRecord } from '@skep/containers';
import { createNetwork, type Network, type NetworkEndpoint, type NetworkNode } from '@skep/network';
import koffi from 'koffi';
import { until } from './exec.ts';
import { ask, INGRESS, plain, published, serve, shell, task } from './network-lab.ts';
import { ASKER, Flow } from './vip-lab.ts';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int kind)');

const NODES = [1, 2, 3];
export const CLIENT_ADDRESS = '198.51.100.99';
const SWITCH = 'sw';
/** Of the published port and of the tasks, by TCP and UDP. */
const PORT = 9_090;
const TARGET_PORT = 8_000;
const FLOW_PATIENCE_MS = 3_000;

/** Ports of the hosts are not held: this process is in one namespace at a time. */
const NO_HOLDER = { hold: async () => ({ release() {} }) };

/** One node: its host's namespace, and the network room that works there. */
interface LabNode {
  number: number;
  namespaceFd: number;
  network: Network;
  containers: Map<string, SandboxRecord>;
}

/** Three nodes on one switch, each a namespace, and a client on the switch. */
export class MeshLab {
  readonly #machineNamespace = openSync('/proc/thread-self/ns/net', 'r');
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  readonly #nodes: LabNode[] = [];
  readonly #endpoints = new Map<string, NetworkEndpoint>();
  #clientAffinity = false;
  /** The node that the others take for a Docker Engine, and which takes them for such. */
  #stranger: number | undefined;
  client = '';

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(): Promise<MeshLab> {
    const lab = new MeshLab(await mkdtemp(join(tmpdir(), 'skep-mesh-')));
    unshare(CLONE_NEWNET);
    const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
    lab.#children.push(holder);
    lab.client = `/proc/${holder.pid}/ns/net`;
    const own = await shell('readlink /proc/self/ns/net');
    const isEntered = (now: string) => now !== own;
    await until(() => shell(`readlink ${lab.client}`), isEntered);
    await lab.#inClient(
      `ip link set lo up; ip link add ${SWITCH} type bridge; ` +
        `ip addr add ${CLIENT_ADDRESS}/24 dev ${SWITCH}; ip link set ${SWITCH} up`,
    );
    for (const number of NODES) await lab.#addNode(number, Number(holder.pid));
    await lab.tell();
    return lab;
  }

  async cleanUp(): Promise<void> {
    try {
      for (const { network } of this.#nodes) await network.close({ removeAll: true });
    } finally {
      for (const child of this.#children) child.kill('SIGKILL');
      setns(this.#machineNamespace, CLONE_NEWNET);
      for (const fd of [this.#machineNamespace, ...this.#nodes.map((node) => node.namespaceFd)]) {
        closeSync(fd);
      }
      await rm(this.#directory, { recursive: true, force: true });
    }
  }

  /** Of a node's host. */
  host(number: number): string {
    return `/proc/${process.pid}/fd/${this.#node(number).namespaceFd}`;
  }

  network(number: number): Network {
    return this.#node(number).network;
  }

  /** Starts a task's container on a node, with a server in it that tells the task's name. */
  async runTask(id: string, number: number, address: string): Promise<string> {
    const namespace = await this.#setUp(number, task(id, address));
    this.#children.push(await serve(namespace, TARGET_PORT, id));
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
    this.#children.push(child);
    return new Flow(child);
  }

  /** The daemon of a node ends, and the next one takes over what it left in the kernel. */
  async restart(number: number): Promise<void> {
    const node = this.#node(number);
    await node.network.close();
    node.network = await this.#boot(number, node.namespaceFd);
    await node.network.networking.restore([...node.containers.values()]);
    await this.tell();
  }

  async #setUp(number: number, request: SandboxRecord['request']): Promise<string> {
    const { network, containers } = this.#node(number);
    const state = await network.networking.setUp(request);
    containers.set(request.containerId, { request, state });
    return state.netnsPath;
  }

  async #addNode(number: number, switchPid: number): Promise<void> {
    unshare(CLONE_NEWNET);
    await shell(
      `ip link set lo up; ip link add cable type veth peer name c${number} netns ${switchPid}; ` +
        `ip addr add ${hostAddress(number)}/24 dev cable; ip link set cable up; ` +
        `ip route add default via ${CLIENT_ADDRESS}`,
    );
    await this.#inClient(`ip link set c${number} master ${SWITCH} up`);
    const namespaceFd = openSync('/proc/thread-self/ns/net', 'r');
    const network = await this.#boot(number, namespaceFd);
    await network.networking.restore([]);
    this.#nodes.push({ number, namespaceFd, network, containers: new Map() });
  }

  async #boot(number: number, namespaceFd: number): Promise<Network> {
    setns(namespaceFd, CLONE_NEWNET);
    const directory = join(this.#directory, nodeName(number));
    const network = await createNetwork({
      dataRoot: join(directory, 'data'),
      execRoot: join(directory, 'exec'),
      holder: NO_HOLDER,
    });
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

  #inClient(script: string): Promise<string> {
    return shell(`nsenter --net=${this.client} sh -ec '${script}'`);
  }
}

function nodeName(number: number): string {
  return `n${number}`;
}

export function hostAddress(number: number): string {
  return `198.51.100.${number}`;
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
