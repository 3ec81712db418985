import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxRequest } from '@skep/containers';
import {
  createNetwork,
  type Network,
  type NetworkEndpoint,
  type OverlayNetwork,
  type TableUpdate,
} from '@skep/network';
import koffi from 'koffi';
import { until } from './exec.ts';

/** A host and a client beside it, in namespaces of their own: the machine's stay as they are. */

export const HOST_ADDRESS = '198.51.100.1';
export const CLIENT_ADDRESS = '198.51.100.9';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int kind)');

/** Answers each connection and each datagram with its name and who asked. */
const SERVER = `
  const [port, name] = process.argv.slice(1);
  const line = (address) => name + ' ' + address.replace('::ffff:', '') + '\\n';
  require('net').createServer((socket) => {
    socket.on('error', () => {});
    socket.write(line(socket.remoteAddress));
    socket.on('data', (data) => socket.write(data));
  }).listen(Number(port), '0.0.0.0', () => console.log('ready'));
  const udp = require('dgram').createSocket('udp4');
  udp.on('message', (_, from) => udp.send(line(from.address), from.port, from.address));
  udp.bind(Number(port));
`;

/** Asks one question and prints the first line of the answer, or why there was none. */
const CLIENT = `
  const [address, port, protocol] = process.argv.slice(1);
  const end = (text) => { console.log(text); process.exit(); };
  setTimeout(() => end('timeout'), 3000);
  if (protocol === 'udp') {
    const udp = require('dgram').createSocket('udp4');
    udp.on('message', (data) => end(String(data).trim())).on('error', (error) => end(error.code));
    udp.connect(Number(port), address, () => udp.send('?'));
  } else {
    const socket = require('net').connect(Number(port), address);
    socket.on('error', (error) => end(error.code));
    socket.once('data', (data) => end(String(data).trim()));
  }
`;

export class NetworkLab {
  readonly #machineNamespace = openSync('/proc/thread-self/ns/net', 'r');
  readonly #children: ChildProcess[] = [];
  readonly directory: string;
  readonly #endpoints = new Map<string, NetworkEndpoint>();
  #version = 0n;
  #client = '';
  network!: Network;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async start(): Promise<NetworkLab> {
    const lab = new NetworkLab(await mkdtemp(join(tmpdir(), 'skep-network-')));
    unshare(CLONE_NEWNET);
    const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
    lab.#children.push(holder);
    lab.#client = `/proc/${holder.pid}/ns/net`;
    const own = await lab.shell('readlink /proc/self/ns/net');
    const entered = (now: string) => now !== own;
    await until(() => lab.shell(`readlink ${lab.#client}`), entered);
    await lab.shell('ip link set lo up; ip link add cable type veth peer name cable1');
    await lab.shell(`ip link set cable1 netns ${holder.pid}`);
    await lab.shell(`ip addr add ${HOST_ADDRESS}/24 dev cable; ip link set cable up`);
    await lab.shell(
      `nsenter --net=${lab.#client} sh -c 'ip link set lo up; ` +
        `ip addr add ${CLIENT_ADDRESS}/24 dev cable1; ip link set cable1 up'`,
    );
    await lab.shell(`ip route add default via ${CLIENT_ADDRESS}`);
    await lab.boot();
    return lab;
  }

  /** A daemon's network room on the lab's host, as after a start of the process. */
  async boot(): Promise<Network> {
    const dataRoot = join(this.directory, 'data');
    const execRoot = join(this.directory, 'exec');
    this.network = await createNetwork({ dataRoot, execRoot });
    await this.network.overlays.configure({ address: HOST_ADDRESS, udpPort: VXLAN_PORT });
    return this.network;
  }

  /** What a manager says first: the ingress network with this one node, and who is in it. */
  tellAll(): Promise<void> {
    const endpoints = [...this.#endpoints.values()];
    return this.#tell({ complete: true, networks: [INGRESS], nodes: [OWN_NODE], endpoints });
  }

  /** This node is in no network of the swarm any more. */
  tellNothing(): Promise<void> {
    this.#endpoints.clear();
    return this.#tell({ complete: true });
  }

  /** A task is balanced from now on, or is not any more (while it can still be reached). */
  async tellReady(endpoint: NetworkEndpoint, ready = true): Promise<void> {
    const row = { ...endpoint, ready };
    this.#endpoints.set(endpoint.id, row);
    await this.#tell({ endpoints: [row] });
  }

  /** Its task has ended. */
  async tellGone(id: string): Promise<void> {
    this.#endpoints.delete(id);
    await this.#tell({ gone: [{ table: 'endpoint', networkId: INGRESS.id, id }] });
  }

  /** Resolves when the kernel is as it says. */
  async #tell(more: Partial<TableUpdate>): Promise<void> {
    const nothing = { complete: false, networks: [], nodes: [], services: [], endpoints: [] };
    this.#version += 1n;
    const version = this.#version;
    await this.network.tables.update({ ...nothing, gone: [], version, ...more });
  }

  async cleanUp(): Promise<void> {
    try {
      await this.network.close({ removeAll: true });
    } finally {
      for (const child of this.#children) child.kill('SIGKILL');
      setns(this.#machineNamespace, CLONE_NEWNET);
      closeSync(this.#machineNamespace);
      await rm(this.directory, { recursive: true, force: true });
    }
  }

  /** Starts a server within a namespace; it ends with the lab, or earlier by what this gives. */
  async serve(namespace: string, port: number, name: string): Promise<() => void> {
    const child = await serve(namespace, port, name);
    this.#children.push(child);
    return () => child.kill('SIGKILL');
  }

  get client(): string {
    return this.#client;
  }

  /** What a client in a namespace (of the host when empty) gets from an address and port. */
  ask(namespace: string, address: string, port: number, protocol = 'tcp'): Promise<string> {
    return ask(namespace, address, port, protocol);
  }

  shell(script: string): Promise<string> {
    return shell(script);
  }
}

/** Starts a server within a namespace, for the caller to end. */
export async function serve(namespace: string, port: number, name: string): Promise<ChildProcess> {
  const args = [`--net=${namespace}`, process.execPath, '-e', SERVER, String(port), name];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

/** What a client in a namespace (in this process's when empty) gets from an address and port. */
export function ask(
  namespace: string,
  address: string,
  port: number,
  protocol = 'tcp',
): Promise<string> {
  const command = [process.execPath, '-e', CLIENT, address, String(port), protocol];
  return run(namespace ? ['nsenter', `--net=${namespace}`, ...command] : command);
}

export function shell(script: string): Promise<string> {
  return run(['sh', '-ec', script]);
}

function run([command = '', ...args]: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, (error, stdout) => (error ? reject(error) : resolve(stdout.trim())));
  });
}

/** A plain container's request. */
export function plain(id: string, ports: SandboxRequest['ports'] = {}): SandboxRequest {
  const names = { hostname: '', servers: [], search: [], options: [] };
  const none = { endpoints: [], sysctls: {}, names };
  return { containerId: id, name: `/${id}`, mode: 'bridge', ports, ...none };
}

const VXLAN_PORT = 4_789;

export const INGRESS: OverlayNetwork = {
  id: 'ingress-id',
  name: 'ingress',
  subnets: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1', vni: 4_096 }],
  mtuBytes: 0,
  encrypted: false,
  internal: false,
  ingress: true,
  nodeAddress: '10.0.0.2/24',
};

const OWN_NODE = {
  networkId: INGRESS.id,
  nodeId: 'own',
  address: INGRESS.nodeAddress,
  tunnelAddress: HOST_ADDRESS,
  ownAgent: true,
  down: false,
  wireguardKey: new Uint8Array(),
  wireguardPort: 0,
};

/** A request for a task on the ingress network. */
export function task(id: string, address: string): SandboxRequest {
  const { id: networkId, name: networkName, ingress, internal } = INGRESS;
  const network = { networkId, networkName, subnet: '10.0.0.0/24', gateway: '10.0.0.1' };
  const endpoint = { ...network, address: `${address}/24`, ingress, internal, aliases: [] };
  return { ...plain(id), mode: 'task', endpoints: [endpoint] };
}

/** A task of a service that publishes one port, for both protocols. */
export function published(id: string, address: string, publishedPort = 9_090): NetworkEndpoint {
  const port = { targetPort: 8_000, publishedPort };
  return {
    ...{ networkId: INGRESS.id, id, nodeId: OWN_NODE.nodeId, addresses: [`${address}/24`] },
    ...{ serviceId: 's', name: id, aliases: [], slot: 1, ready: true },
    ports: [
      { protocol: 'tcp', ...port },
      { protocol: 'udp', ...port },
    ],
  };
}
