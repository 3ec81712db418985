import { Code, errorMessage, invariant, RpcError } from '@skep/platform';
import type { MachineRecord } from '../contract.js';
import type { Launched } from '../host/contract.js';
import type { MachineHost } from '../host/machine-host.js';
import type { Layout } from '../layout.js';
import {
  ENGINE_READY_TIMEOUT_MS,
  LOG_BYTES_MAX,
  LOG_TAIL_LINES,
  NAMESPACES_TIMEOUT_MS,
} from '../limits.js';
import type { Power } from '../power/power.js';
import type { Switch } from '../switch/switch.js';
import { waitUntil } from '../wait.js';
import { engineCommand } from './engine-flags.js';
import { BOOT_SCRIPT } from './script.js';

/** IPC stays shared: the machine sees the host's files, and /dev/mqueue and /dev/shm are among them. */
const NAMESPACES = ['--mount', '--uts', '--net', '--pid'];
/** Directories of the host that the machine has its own over. */
export const COVERED = ['/run/skep', '/run/containerd', '/var/lib/skep'];

export interface BootDependencies {
  host: MachineHost;
  layout: Layout;
  power: Power;
  network: Switch;
  /** Program of the engine. */
  skepd: string;
}

/**
 * Turns a machine on, and resolves when its engine answers. When that does not happen the machine
 * is left as it is, for a look into it.
 */
export async function boot(deps: BootDependencies, record: MachineRecord): Promise<void> {
  const { layout } = deps;
  const { name } = record;
  await prepare(deps, name);
  const launched = deps.host.launcher.launch({
    command: 'unshare',
    args: unshareArguments(deps, record),
    logFile: layout.log(name),
  });
  try {
    await connect(deps, record, launched);
  } catch (error) {
    launched.abort();
    const text = `machine "${name}" does not start: ${errorMessage(error)}`;
    throw new RpcError(Code.INTERNAL, `${text}\n${await logTail(deps, name)}`, { cause: error });
  }
  launched.release();
  if (record.engine !== 'none') await engineAnswers(deps, record);
}

async function prepare({ host, layout }: BootDependencies, name: string): Promise<void> {
  const { disk } = host;
  for (const directory of COVERED) await disk.makeDirectory(directory, 0o711);
  await disk.remove(layout.runtime(name));
  for (const directory of [layout.runtime(name), layout.data(name)]) {
    await disk.makeDirectory(directory, 0o711);
  }
  await disk.writeFileAtomic(`${layout.data(name)}/daemon.json`, Buffer.from('{}\n'));
  const log = await disk.stat(layout.log(name));
  if (log && log.size > LOG_BYTES_MAX) await disk.remove(layout.log(name));
}

function unshareArguments({ layout, skepd }: BootDependencies, record: MachineRecord): string[] {
  const { name, engine, engineFlags } = record;
  const command = engineCommand(engine, engineFlags, skepd);
  const directories = [layout.etc(name), layout.data(name), layout.runtime(name)];
  const run = ['sh', '-c', BOOT_SCRIPT, 'machine', name, ...directories, ...command];
  return [...NAMESPACES, '--fork', '--propagation', 'unchanged', ...run];
}

/** Waits for the namespaces and plugs the network in. */
async function connect(
  { host, power, network }: BootDependencies,
  record: MachineRecord,
  launched: Launched,
): Promise<void> {
  const pid = Number(await launched.line(NAMESPACES_TIMEOUT_MS));
  const init = host.table.get(pid);
  invariant(init?.innerPid === 1, 'the machine begins with process 1', { pid });
  await power.noteInit(record.name, init);
  await network.plug({ ...record, pid });
}

async function engineAnswers(
  deps: BootDependencies,
  { name, engine }: MachineRecord,
): Promise<void> {
  const { host, layout, power } = deps;
  const failure = `${layout.runtime(name)}/engine.exit`;
  let failed = false;
  const answers = await waitUntil(host.clock, ENGINE_READY_TIMEOUT_MS, async () => {
    failed = (await host.disk.stat(failure)) !== undefined || !(await power.init(name));
    return failed || (await host.engines.answers(layout.socket(name)));
  });
  if (answers && !failed) return;
  const what = failed
    ? 'does not start'
    : `does not answer in ${ENGINE_READY_TIMEOUT_MS / 1_000} s`;
  const text = `${engine} of machine "${name}" ${what}`;
  throw new RpcError(Code.UNAVAILABLE, `${text}\n${await logTail(deps, name)}`);
}

async function logTail({ host, layout }: BootDependencies, name: string): Promise<string> {
  const path = layout.log(name);
  if (!(await host.disk.stat(path))) return '(no log)';
  const text = Buffer.from(await host.disk.readFile(path))
    .toString()
    .trimEnd();
  return text.split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
