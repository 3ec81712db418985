// The network room of one node on the real kernel, in a network namespace of its own, with a network
// of services and the ingress network. Importing this enters the namespace.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNetwork } from '@skep/network';
import koffi from 'koffi';

const CLONE_NEWNET = 0x40000000;
koffi.load('libc.so.6').func('int unshare(int flags)')(CLONE_NEWNET);

export const HOST_ADDRESS = '198.51.100.1';
const OUTSIDE_ADDRESS = '198.51.100.9';
const VXLAN_PORT = 4_789;
const VNI_MIN = 4_096;

/** Second number of their addresses. */
const NETWORKS = { front: 10, ingress: 20 };
const NAMES = Object.keys(NETWORKS);

const at = (name, rest) => `10.${NETWORKS[name]}.${rest}`;
const range = (name) => ({ subnet: at(name, '0.0/16'), gateway: at(name, '0.1') });

/** Of the task with this number, from 0. */
const addressOf = (name, number) => at(name, `${Math.floor(number / 250)}.${(number % 250) + 3}`);

/** Of the service with this number; they lie behind those of tasks. */
export const virtualIp = (number) => addressOf('front', 30_000 + number);

const networkOf = (name) => ({
  ...{ id: name, name, subnets: [{ ...range(name), vni: VNI_MIN + NETWORKS[name] }] },
  ...{ mtuBytes: 0, encrypted: false, internal: false, ingress: name === 'ingress' },
  nodeAddress: at(name, '0.2/16'),
});

const nodeOf = (name) => ({
  ...{ networkId: name, nodeId: 'own', address: at(name, '0.2/16') },
  ...{ tunnelAddress: HOST_ADDRESS, ownAgent: true, down: false },
  ...{ wireguardKey: new Uint8Array(), wireguardPort: 0 },
});

/** The service with this number. */
export const serviceOf = (number) => ({
  ...{ networkId: 'front', serviceId: `s${number}`, name: `s${number}`, aliases: [] },
  ...{ virtualIp: virtualIp(number), clientAffinity: false },
});

/** Its one task, in both networks: in the ingress network with these ports. */
export function endpointsOf(number, { ready = true, ports = [] } = {}) {
  return NAMES.map((name) => ({
    ...{ networkId: name, id: `t${number}`, nodeId: 'own', serviceId: `s${number}` },
    ...{ addresses: [`${addressOf(name, number)}/16`], name: `t${number}`, aliases: [] },
    ...{ slot: 1, ready, ports: name === 'ingress' ? ports : [] },
  }));
}

/** What `networking.setUp` takes for the task of a service. */
export function requestOf(number) {
  const endpoints = ['ingress', 'front'].map((name) => ({
    ...{ networkId: name, networkName: name, ingress: name === 'ingress', internal: false },
    ...{ address: `${addressOf(name, number)}/16`, aliases: [], ...range(name) },
  }));
  const names = { hostname: '', servers: [], search: [], options: [] };
  const id = `t${number}`;
  const none = { ports: {}, sysctls: {}, names };
  return { containerId: id, name: `/${id}`, mode: 'task', endpoints, ...none };
}

export class Room {
  #version = 0n;
  #directory;
  #holder;

  static async open() {
    const room = new Room();
    await room.#plugIn();
    // As /run, where the exec-root is: memory, not disk.
    const directory = mkdtempSync('/dev/shm/skep-bench-');
    const [dataRoot, execRoot] = [`${directory}/data`, `${directory}/exec`];
    room.#directory = directory;
    room.network = await createNetwork({ dataRoot, execRoot });
    await room.network.overlays.configure({ address: HOST_ADDRESS, udpPort: VXLAN_PORT });
    await room.network.networking.restore([]);
    return room;
  }

  /** Path of a namespace outside, whose only way leads to this node. */
  get outside() {
    return `/proc/${this.#holder.pid}/ns/net`;
  }

  /** All there is; resolves when the kernel is as it says. */
  tellAll(services, endpoints) {
    const networks = NAMES.map(networkOf);
    const nodes = NAMES.map(nodeOf);
    return this.tell({ complete: true, networks, nodes, services, endpoints });
  }

  /** What changed. */
  tell(more) {
    this.#version += 1n;
    const none = { networks: [], nodes: [], services: [], endpoints: [], gone: [] };
    return this.network.tables.update({
      version: this.#version,
      complete: false,
      ...none,
      ...more,
    });
  }

  async close() {
    this.#holder.kill('SIGKILL');
    await this.network.close({ removeAll: true });
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A cable to a neighbour, which is also the way out. */
  async #plugIn() {
    this.#holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    const namespace = (path) => execFileSync('readlink', [path], { encoding: 'utf8' });
    while (namespace(this.outside) === namespace('/proc/self/ns/net')) await sleep(10);
    const script = `ip link set lo up
      ip link add cable type veth peer name cable1
      ip link set cable1 netns ${this.#holder.pid}
      ip addr add ${HOST_ADDRESS}/24 dev cable
      ip link set cable up
      ip route add default via ${OUTSIDE_ADDRESS}
      nsenter --net=${this.outside} sh -ec '
        ip addr add ${OUTSIDE_ADDRESS}/24 dev cable1; ip link set cable1 up'`;
    execFileSync('sh', ['-ec', script]);
  }
}
