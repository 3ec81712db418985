import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machines, realHost } from '@skep/machines';
import { root } from '../../scripts/lib.mjs';
import { sampleImage } from '../../scripts/sample-image.mjs';
import { Engine } from './engine.mjs';
import { startRegistry } from './registry.mjs';

/** The whole range that a set of machines takes its subnet from. */
const REGISTRIES = '192.168.0.0/16';

/**
 * Machines of one kind or another on one switch, with a registry that all of them reach. Removal
 * leaves nothing.
 */
export class Lab {
  #guests = [];
  #run;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'skep-bench-lab-'));
    const storage = join(this.directory, 'machines');
    this.machines = new Machines({ host: realHost(), storage, skepd: join(root, 'bin/skepd') });
    // Sockets, pipes and bundles of either kind of engine: memory, not disk, as /run is on a host.
    this.#run = this.machines.layout.run;
    mkdirSync(this.#run, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'skep-bench-run', this.#run]);
  }

  /** Makes machines and waits for their engines (`skepd`, `dockerd`, `none`). */
  create(names, engine) {
    const engineFlags =
      engine === 'none' ? [] : [`--insecure-registry=${REGISTRIES}`, '--log-level=warn'];
    const make = async (name) => {
      const { address } = await this.machines.create({ name, engine, engineFlags });
      return { name, address, engine: new Engine(this.machines.layout.socket(name)) };
    };
    return Promise.all(names.map(make));
  }

  /** A command that runs inside a machine: its network, processes and directories. */
  async enter(name) {
    const { pid } = await this.machines.running(name);
    const namespaces = ['--mount', '--uts', '--net', '--pid'];
    return ['nsenter', '--target', String(pid), ...namespaces, '--'];
  }

  /** Reference of the sample image, in a registry that is started with the first call. */
  async image() {
    if (this.registry) return this.registry.reference;
    const [{ address }] = await this.machines.list();
    const directory = join(this.directory, 'registry');
    const hostAddress = address.replace(/\d+$/, '1');
    this.registry = await startRegistry({ directory, address: hostAddress }, sampleImage());
    this.keep({ remove: () => this.registry.child.kill('SIGKILL') });
    return this.registry.reference;
  }

  /**
   * The power fails. Resolves when no process of the machine is left, with the time of the cut (by
   * `performance.now()`).
   */
  async kill(name) {
    const { pid } = await this.machines.running(name);
    process.kill(pid, 'SIGKILL');
    const cutAtMs = performance.now();
    await this.machines.kill(name);
    return cutAtMs;
  }

  /** The cable is pulled: nobody is told, no connection is closed. Resolves with the time. */
  async disconnect(name) {
    await this.machines.disconnect(name);
    return performance.now();
  }

  /** On again, whichever of the two it was. */
  async restore(name) {
    await this.machines.connect(name);
    await this.machines.start(name);
  }

  /** Has something beside the machines removed with them. */
  keep(guest) {
    this.#guests.push(guest);
    return guest;
  }

  async remove() {
    for (const guest of this.#guests) await guest.remove();
    for (const { name } of await this.machines.list()) await this.machines.remove(name);
    execFileSync('umount', ['--lazy', this.#run]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
