import { Code, RpcError } from '@skep/platform';
import { type BootDependencies, boot, COVERED } from './boot/boot.js';
import { EtcFiles } from './boot/etc-files.js';
import type { EngineFacts, MachineRecord, MachineStatus, NewMachine } from './contract.js';
import type { MachineHost } from './host/machine-host.js';
import { DEFAULT_STORAGE, Layout } from './layout.js';
import { FIRST_HOST_NUMBER, LAST_HOST_NUMBER } from './limits.js';
import { Locks } from './locks.js';
import { checkName, exists, notRunning } from './names.js';
import { Power } from './power/power.js';
import { shutDown } from './power/shutdown.js';
import { Registry } from './registry.js';
import { addressIn, checkSubnet, hostNumber } from './switch/subnet.js';
import { Switch } from './switch/switch.js';

export interface MachinesOptions {
  host: MachineHost;
  /** Directory of all that is kept; another directory is another set of machines. */
  storage?: string | undefined;
  /** Subnet of a switch that is yet to be made: `A.B.C.0/24`. */
  subnet?: string | undefined;
  /** The engine's program. */
  skepd: string;
}

/** Machines on this host: nodes made of namespaces, on a private switch. */
export class Machines {
  readonly layout: Layout;
  readonly #host: MachineHost;
  readonly #subnet: string | undefined;
  readonly #registry: Registry;
  readonly #locks: Locks;
  readonly #switch: Switch;
  readonly #power: Power;
  readonly #etc: EtcFiles;
  readonly #boot: BootDependencies;

  constructor({ host, storage, subnet, skepd }: MachinesOptions) {
    const layout = new Layout(storage);
    const { disk, processes, locker, clock } = host;
    this.layout = layout;
    this.#host = host;
    this.#subnet = subnet;
    this.#registry = new Registry({ layout, disk });
    this.#locks = new Locks({ layout, locker, clock });
    this.#switch = new Switch({ layout, disk, processes });
    this.#power = new Power({ host, layout, registry: this.#registry, network: this.#switch });
    this.#etc = new EtcFiles({ layout, disk });
    this.#boot = { host, layout, power: this.#power, network: this.#switch, skepd };
  }

  /** Makes a machine and turns it on. One that does not start leaves nothing behind. */
  async create(wanted: NewMachine): Promise<MachineStatus> {
    checkName(wanted.name);
    if (this.#subnet !== undefined) checkSubnet(this.#subnet);
    try {
      return await this.#locks.machine(wanted.name, () => this.#build(wanted));
    } finally {
      await this.#tidy();
    }
  }

  /** By name, in the order docker-machine lists them. */
  async list(): Promise<MachineStatus[]> {
    const records = await this.#registry.all();
    return Promise.all(records.map((record) => this.#status(record)));
  }

  async get(name: string): Promise<MachineStatus> {
    return this.#status(await this.#registry.get(name));
  }

  /** Rejects with FAILED_PRECONDITION when it does not run. */
  async running(name: string): Promise<MachineStatus & { pid: number }> {
    const status = await this.get(name);
    const { pid } = status;
    if (pid === undefined) throw notRunning(name);
    return { ...status, pid };
  }

  /** What a running machine's engine says; undefined when there is no answer. */
  async engineFacts({ name, state }: MachineStatus): Promise<EngineFacts | undefined> {
    if (state !== 'Running') return undefined;
    return this.#host.engines.facts(this.layout.socket(name));
  }

  /** No error when it runs already. */
  start(name: string): Promise<void> {
    return this.#locks.machine(name, async () => {
      const record = await this.#registry.get(name);
      if (await this.#power.init(name)) return;
      await this.#power.cut(record); // what a machine that was killed from elsewhere left
      await this.#withSwitch(async () => {});
      await boot(this.#boot, record);
    });
  }

  /** Shuts down in order: engine, containers, everything. No error when it is stopped already. */
  stop(name: string): Promise<void> {
    return this.#locks.machine(name, async () => {
      const record = await this.#registry.get(name);
      const init = await this.#power.init(name);
      if (init) await shutDown({ host: this.#host, layout: this.layout }, record, init);
      await this.#power.cut(record);
    });
  }

  /** The power fails: every process of the machine is killed at once. Waits for nobody. */
  async kill(name: string): Promise<void> {
    await this.#power.cut(await this.#registry.get(name));
  }

  /** Pulls the cable: the machine runs on, alone, also through stops and starts. */
  disconnect(name: string): Promise<void> {
    return this.#setCable(name, false);
  }

  connect(name: string): Promise<void> {
    return this.#setCable(name, true);
  }

  /** Ends a machine and removes all of it; the switch goes with the last one. */
  async remove(name: string): Promise<void> {
    const erase = async () => this.#erase(await this.#registry.get(name));
    await this.#locks.machine(name, erase);
    await this.#tidy();
  }

  async #build(wanted: NewMachine): Promise<MachineStatus> {
    const record = await this.#register(wanted);
    try {
      await boot(this.#boot, record);
    } catch (error) {
      await this.#erase(record);
      throw error;
    }
    return this.#status(record);
  }

  async #register({ name, engine, engineFlags }: NewMachine): Promise<MachineRecord> {
    return this.#withSwitch(async (subnet) => {
      const all = await this.#registry.all();
      if (all.some((record) => record.name === name)) throw exists(name);
      const record: MachineRecord = {
        name,
        driver: 'netns',
        address: freeAddress(subnet, all),
        engine,
        engineFlags,
        disconnected: false,
        createdAt: new Date(this.#host.clock.now()).toISOString(),
      };
      await this.#registry.put(record);
      await this.#etc.write(record, [...all, record]);
      await this.#etc.tellAll([...all, record]);
      return record;
    });
  }

  /** Work on a set that has its switch, which nobody removes meanwhile. */
  #withSwitch<T>(work: (subnet: string) => Promise<T>): Promise<T> {
    const ensured = async () => work(await this.#switch.ensure(this.#subnet));
    return this.#locks.host(() => this.#locks.set(ensured));
  }

  async #erase(record: MachineRecord): Promise<void> {
    await this.#power.cut(record);
    await this.#locks.set(async () => {
      await this.#host.disk.remove(this.layout.directory(record.name));
      const left = await this.#registry.all();
      await this.#etc.tellAll(left);
      if (left.length === 0) await this.#switch.remove();
    });
  }

  /** Directories that others may use too go when they are empty. */
  async #tidy(): Promise<void> {
    const { storage, run } = this.layout;
    const own = storage === DEFAULT_STORAGE ? [run, storage] : [run];
    const directories = [...own, ...COVERED];
    await this.#host.processes.run('rmdir', ['--ignore-fail-on-non-empty', ...directories]);
  }

  #setCable(name: string, connected: boolean): Promise<void> {
    return this.#locks.machine(name, async () => {
      const record = await this.#registry.get(name);
      if (await this.#power.init(name)) await this.#switch.setCable(record.address, connected);
      await this.#registry.put({ ...record, disconnected: !connected });
    });
  }

  async #status(record: MachineRecord): Promise<MachineStatus> {
    const { name } = record;
    const pid = (await this.#power.init(name))?.pid;
    const state = pid === undefined ? 'Stopped' : 'Running';
    return { ...record, state, pid, url: `unix://${this.layout.socket(name)}` };
  }
}

/** The lowest that no machine has. */
function freeAddress(subnet: string, all: readonly MachineRecord[]): string {
  const taken = new Set(all.map(({ address }) => hostNumber(address)));
  for (let number = FIRST_HOST_NUMBER; number <= LAST_HOST_NUMBER; number++) {
    if (!taken.has(number)) return addressIn(subnet, number);
  }
  const count = LAST_HOST_NUMBER - FIRST_HOST_NUMBER + 1;
  throw new RpcError(Code.RESOURCE_EXHAUSTED, `there are ${count} machines: no address is left`);
}
