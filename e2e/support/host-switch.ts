import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetwork, type Network } from '@skep/network';
import koffi from 'koffi';
import { until } from './exec.ts';
import { shell } from './network-lab.ts';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int kind)');

/** Of the switch itself, where whoever is outside of the swarm is. */
export const SWITCH_ADDRESS = '198.51.100.99';
const SWITCH = 'sw';

/** Ports of hosts are not held: this process is in one namespace at a time. */
const NO_HOLDER = { hold: async () => ({ release() {} }) };

export function hostAddress(number: number): string {
  return `198.51.100.${number}`;
}

/** The same host's by IPv6. */
export function hostAddress6(number: number): string {
  return `fd99::${number}`;
}

/**
 * Hosts on one switch, each a network namespace, with nothing beyond the switch. This process goes from
 * one to the other.
 */
export class HostSwitch {
  readonly #machineNamespace = openSync('/proc/thread-self/ns/net', 'r');
  readonly #children: ChildProcess[] = [];
  readonly #hosts = new Map<number, number>();
  readonly #directory: string;
  #switchPid = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(name: string): Promise<HostSwitch> {
    const made = new HostSwitch(await mkdtemp(join(tmpdir(), `skep-${name}-`)));
    unshare(CLONE_NEWNET);
    const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
    made.keep(holder);
    made.#switchPid = holder.pid ?? 0;
    const own = await shell('readlink /proc/self/ns/net');
    const isEntered = (now: string) => now !== own;
    await until(() => shell(`readlink ${made.outside}`), isEntered);
    await made.#inSwitch(
      `ip link set lo up; ip link add ${SWITCH} type bridge; ` +
        `ip addr add ${SWITCH_ADDRESS}/24 dev ${SWITCH}; ip link set ${SWITCH} up`,
    );
    return made;
  }

  /** Ends everything that was started. Network rooms are closed before. */
  async cleanUp(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    setns(this.#machineNamespace, CLONE_NEWNET);
    for (const fd of [this.#machineNamespace, ...this.#hosts.values()]) closeSync(fd);
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Path of the switch's namespace. */
  get outside(): string {
    return `/proc/${this.#switchPid}/ns/net`;
  }

  /** Path of a host's namespace. */
  host(number: number): string {
    return `/proc/${process.pid}/fd/${this.#hosts.get(number)}`;
  }

  /** Where the network room of a host keeps its files. */
  directoryOf(number: number): string {
    return join(this.#directory, `n${number}`);
  }

  /** Ends a process with everything else. */
  keep(child: ChildProcess): void {
    this.#children.push(child);
  }

  /** Plugs in a host of a number, 1 … 98. */
  async addHost(number: number): Promise<void> {
    unshare(CLONE_NEWNET);
    await shell(
      `ip link set lo up; ip link add cable type veth peer name c${number} ` +
        `netns ${this.#switchPid}; ip addr add ${hostAddress(number)}/24 dev cable; ` +
        `ip addr add ${hostAddress6(number)}/64 dev cable nodad; ip link set cable up; ` +
        `ip route add default via ${SWITCH_ADDRESS}`,
    );
    await this.#inSwitch(`ip link set c${number} master ${SWITCH} up`);
    this.#hosts.set(number, openSync('/proc/thread-self/ns/net', 'r'));
  }

  /** A network room on a host, as after a start of its daemon. */
  async boot(number: number): Promise<Network> {
    setns(this.#hosts.get(number) ?? -1, CLONE_NEWNET);
    const directory = this.directoryOf(number);
    const roots = { dataRoot: join(directory, 'data'), execRoot: join(directory, 'exec') };
    return createNetwork({ ...roots, holder: NO_HOLDER });
  }

  #inSwitch(script: string): Promise<string> {
    return shell(`nsenter --net=${this.outside} sh -ec '${script}'`);
  }
}
