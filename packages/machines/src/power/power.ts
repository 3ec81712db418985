import { Code, RpcError } from '@skep/platform';
import type { MachineRecord } from '../contract.js';
import type { ProcessInfo } from '../host/contract.js';
import type { MachineHost } from '../host/machine-host.js';
import type { Layout } from '../layout.js';
import { KILL_TIMEOUT_MS } from '../limits.js';
import type { Boot, Registry } from '../registry.js';
import type { Switch } from '../switch/switch.js';
import { waitUntil } from '../wait.js';
import { membersOf } from './members.js';

/** Cgroup of the containers of every skepd. */
const CONTAINER_CGROUPS = '/skep';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface PowerDependencies {
  host: MachineHost;
  layout: Layout;
  registry: Registry;
  network: Switch;
}

/**
 * Whether machines run, and the plug to pull. A machine is a PID namespace: when its process 1 is
 * killed, the kernel kills all others in it at once, containers too, and lets nobody new in.
 */
export class Power {
  readonly #deps: PowerDependencies;

  constructor(deps: PowerDependencies) {
    this.#deps = deps;
  }

  /** The machine's process 1, if it runs. */
  async init(name: string): Promise<ProcessInfo | undefined> {
    const boot = await this.#deps.registry.boot(name);
    if (boot?.bootId !== (await this.#bootId())) return undefined;
    const found = this.#deps.host.table.get(boot.pid);
    return found?.startTicks === boot.startTicks ? found : undefined;
  }

  /** Notes which process is the machine from now on. */
  async noteInit(name: string, init: ProcessInfo): Promise<void> {
    const { pid, startTicks } = init;
    const boot: Boot = { bootId: await this.#bootId(), pid, startTicks };
    await this.#deps.registry.putBoot(name, boot);
  }

  /**
   * Ends every process of a machine at once and removes what a host without power would have lost.
   * No error when it does not run.
   */
  async cut(record: MachineRecord): Promise<void> {
    const { host, network, registry, layout } = this.#deps;
    const { name } = record;
    const init = await this.init(name);
    const cgroups = await this.#containerCgroups(name, init);
    if (init) {
      host.table.signal(init.pid, 'SIGKILL');
      await this.#gone(name, init);
    }
    await network.unplug(record.address);
    host.cgroups.removeEmpty(cgroups);
    await registry.dropBoot(name);
    await host.disk.remove(layout.runtime(name));
  }

  /** Waits for the end of all, which the kernel has begun. */
  async #gone(name: string, init: ProcessInfo): Promise<void> {
    const { host } = this.#deps;
    const ended = () => host.table.get(init.pid)?.startTicks !== init.startTicks;
    if (await waitUntil(host.clock, KILL_TIMEOUT_MS, ended)) return;
    const left = membersOf(init, host.table.list()).map(({ pid }) => pid);
    const text = `machine "${name}": processes do not end: ${[init.pid, ...left].join(', ')}`;
    throw new RpcError(Code.DEADLINE_EXCEEDED, text);
  }

  /** Those its processes are in, and those of its containers that have none just now. */
  async #containerCgroups(name: string, init: ProcessInfo | undefined): Promise<Set<string>> {
    const { host, layout } = this.#deps;
    const records = await host.disk.list(`${layout.data(name)}/containers`);
    const paths = new Set(records.map((id) => `${CONTAINER_CGROUPS}/${id}`));
    if (!init) return paths;
    for (const { pid } of membersOf(init, host.table.list())) {
      for (const path of host.cgroups.of(pid)) paths.add(path);
    }
    for (const path of host.cgroups.of(init.pid)) paths.delete(path);
    return paths;
  }

  async #bootId(): Promise<string> {
    return Buffer.from(await this.#deps.host.disk.readFile(BOOT_ID))
      .toString()
      .trim();
  }
}
