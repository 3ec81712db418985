import { must, until } from './exec.ts';
import type { TestMachines } from './machines.ts';
import { sampleArchive } from './sample.ts';

/**
 * Programs that keep rules of their own beside ours, the real ones, on a machine: with its network,
 * and with copies of their configuration that the machine alone sees.
 */

/** In a machine; goes with it. */
const DIRECTORY = '/var/lib/skep/foreign';

/** Has a copy of a file or directory of the host take its place in a machine. */
function ownCopy(path: string): string {
  const copy = `${DIRECTORY}${path}`;
  return `mkdir -p $(dirname ${copy}); cp -a ${path} ${copy}; mount --bind ${copy} ${path}`;
}

/** Makes ufw's configuration the machine's own; `ufw` may be used there from then on. */
export async function prepareUfw(machines: TestMachines, name: string): Promise<void> {
  const copies = ['/etc/ufw', '/etc/default/ufw'].map(ownCopy);
  await machines.ssh(name, ['set -e', ...copies].join('; '));
}

/** Starts a bus and firewalld on it; `firewall-cmd` may be used there when it has resolved. */
export async function startFirewalld(machines: TestMachines, name: string): Promise<void> {
  const bus = 'mkdir -p /run/dbus; mount -t tmpfs none /run/dbus; dbus-daemon --system --fork';
  await machines.ssh(name, ['set -e', ownCopy('/etc/firewalld'), bus].join('; '));
  await runFirewalld(machines, name);
}

/** Also after it was killed. */
export async function runFirewalld(machines: TestMachines, name: string): Promise<void> {
  const log = `--log-file=${DIRECTORY}/firewalld.log`;
  const start = `nohup firewalld --nofork --nopid ${log} >/dev/null 2>&1 </dev/null &`;
  await machines.ssh(name, `${start} echo $! >${DIRECTORY}/firewalld.pid`);
  await until(
    () => machines.sshResult(name, 'firewall-cmd --state'),
    ({ code }) => code === 0,
  );
}

export async function killFirewalld(machines: TestMachines, name: string): Promise<void> {
  await machines.ssh(name, `kill -9 $(cat ${DIRECTORY}/firewalld.pid)`);
}

/** A Docker Engine beside ours on a machine, with the sample image. */
export class SecondEngine {
  readonly #machines: TestMachines;
  readonly #name: string;

  constructor(machines: TestMachines, name: string) {
    this.#machines = machines;
    this.#name = name;
  }

  async start(): Promise<void> {
    const roots = `--data-root ${DIRECTORY}/docker --exec-root ${DIRECTORY}/run`;
    const where = `-H unix://${DIRECTORY}/docker.sock -p ${DIRECTORY}/docker.pid`;
    const log = `${DIRECTORY}/dockerd.log`;
    const run = `nohup dockerd ${roots} ${where} >>${log} 2>&1 </dev/null &`;
    await this.#machines.ssh(this.#name, `mkdir -p ${DIRECTORY}; ${run}`);
    await until(
      () => this.#machines.sshResult(this.#name, `${CLIENT} version`),
      ({ code }) => code === 0,
    );
  }

  load(): Promise<string> {
    return this.docker(`load -q -i ${sampleArchive()}`);
  }

  docker(command: string): Promise<string> {
    return this.#machines.ssh(this.#name, `${CLIENT} ${command}`);
  }

  /** Ends it, and its containers. */
  async stop(): Promise<void> {
    const pid = await this.#machines.ssh(this.#name, `cat ${DIRECTORY}/docker.pid`);
    await this.#machines.ssh(
      this.#name,
      `kill ${pid}; while kill -0 ${pid} 2>/dev/null; do sleep 0.1; done`,
    );
  }
}

const CLIENT = `docker -H unix://${DIRECTORY}/docker.sock`;

/** Rules of the host that the tests run on, everybody's. */
export function rulesOfHost(): Promise<string> {
  return must('nft', ['-s', 'list', 'ruleset']);
}
