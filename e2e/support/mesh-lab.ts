import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createNetwork,
  type Network,
  type NetworkEndpoint,
  type NetworkNode,
  type NetworkService,
} from '@skep/network';
import koffi from 'koffi';
import { until } from './exec.ts';
import { ask, INGRESS, published, serve, shell, task } from './network-lab.ts';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int kind)');

const NODES = [1, 2, 3];
export const CLIENT_ADDRESS = '198.51.100.99';
const SWITCH = 'sw';

/** Ports of hosts are held elsewhere: this process is in one namespace at a time. */
const NO_HOLDER = { hold: async () => ({ release() {} }) };

/** One node: its host's namespace, and the network room that works there. */
interface LabNode {
  name: string;
  number: number;
  /** Of its host. */
  address: string;
  namespaceFd: number;
  network: Network;
}

/** Three nodes on one switch, each a namespace, and a client on the switch. */
export class MeshLab {
  readonly #machineNamespace = openSync('/proc/thread-self/ns/net', 'r');
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  readonly #nodes: LabNode[] = [];
  readonly #endpoints = new Map<string, NetworkEndpoint>();
  readonly #services = new Map<string, NetworkService>();
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
    await until(
      () => shell(`readlink ${lab.client}`),
      (now) => now !== own,
    );
    await shell(
      `nsenter --net=${lab.client} sh -ec 'ip link set lo up; ip link add ${SWITCH} type bridge; ` +
        `ip addr add ${CLIENT_ADDRESS}/24 dev ${SWITCH}; ip link set ${SWITCH} up'`,
    );
    for (const number of NODES) await lab.#addNode(number, `${holder.pid}`);
    await lab.tell();
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

  /** A node by its number, 1 … 3. */
  node(number: number): LabNode & { namespace: string } {
    const node = this.#nodes[number - 1];
    if (!node) throw new RangeError(`no node ${number}`);
    return { ...node, namespace: `/proc/${process.pid}/fd/${node.namespaceFd}` };
  }

  /** Starts a task's container on a node, with a server in it that tells the task's name. */
  async run(id: string, number: number, address: string): Promise<string> {
    const { network } = this.node(number);
    const state = await network.networking.setUp(task(id, address));
    this.#children.push(await serve(state.netnsPath, 8000, id));
    this.#endpoints.set(id, { ...published(id, address), nodeId: `n${number}` });
    await this.tell();
    return state.netnsPath;
  }

  /** The container is gone, and then the swarm knows. */
  async end(id: string, number: number): Promise<void> {
    await this.node(number).network.networking.tearDown(id);
    this.#endpoints.delete(id);
    await this.tell();
  }

  async change(id: string, more: Partial<NetworkEndpoint>): Promise<void> {
    const known = this.#endpoints.get(id);
    if (known) this.#endpoints.set(id, { ...known, ...more });
    await this.tell();
  }

  async stickTo(clientAffinity: boolean): Promise<void> {
    const none = { name: 's', aliases: [], virtualIp: '' };
    this.#services.set('s', { networkId: INGRESS.id, serviceId: 's', ...none, clientAffinity });
    await this.tell();
  }

  /** Every node hears what is so now. */
  async tell(): Promise<void> {
    const nodes: NetworkNode[] = this.#nodes.map(({ name, number, address }) =>
      nodeRow(name, number, address),
    );
    const rows = { nodes, services: [...this.#services.values()], gone: [] };
    const endpoints = [...this.#endpoints.values()];
    const updates = this.#nodes.map(({ network, number }) => {
      const own = { ...INGRESS, nodeAddress: ingressAddress(number) };
      const version = network.tables.version + 1n;
      return network.tables.update({
        version,
        complete: true,
        networks: [own],
        ...rows,
        endpoints,
      });
    });
    await Promise.all(updates);
  }

  /** What a client in a namespace gets from port 9090 of a node. */
  ask(namespace: string, number: number, protocol = 'tcp'): Promise<string> {
    return ask(namespace, this.node(number).address, 9090, protocol);
  }

  async #addNode(number: number, switchPid: string): Promise<void> {
    const address = `198.51.100.${number}`;
    unshare(CLONE_NEWNET);
    await shell(
      `ip link set lo up; ip link add cable type veth peer name cable${number} netns ${switchPid}; ` +
        `ip addr add ${address}/24 dev cable; ip link set cable up; ` +
        `ip route add default via ${CLIENT_ADDRESS}`,
    );
    await shell(`nsenter --net=${this.client} ip link set cable${number} master ${SWITCH} up`);
    const namespaceFd = openSync('/proc/thread-self/ns/net', 'r');
    const directory = join(this.#directory, `n${number}`);
    const network = await createNetwork({
      dataRoot: join(directory, 'data'),
      execRoot: join(directory, 'exec'),
      holder: NO_HOLDER,
    });
    await network.networking.restore([]);
    await network.overlays.configure({ address, udpPort: 4789 });
    this.#nodes.push({ name: `n${number}`, number, address, namespaceFd, network });
  }
}

/** Of a node, with prefix length. */
function ingressAddress(number: number): string {
  return `10.0.0.${number + 1}/24`;
}

function nodeRow(nodeId: string, number: number, tunnelAddress: string): NetworkNode {
  const place = { networkId: INGRESS.id, nodeId, address: ingressAddress(number), tunnelAddress };
  return { ...place, ownAgent: true, wireguardKey: new Uint8Array(), wireguardPort: 0 };
}
