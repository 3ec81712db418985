import type { MachineRecord } from '../contract.js';
import type { ProcessInfo } from '../host/contract.js';
import type { MachineHost } from '../host/machine-host.js';
import type { Layout } from '../layout.js';
import {
  CONTAINERS_STOP_TIMEOUT_MS,
  ENGINE_STOP_TIMEOUT_MS,
  PROCESSES_STOP_TIMEOUT_MS,
} from '../limits.js';
import { waitUntil } from '../wait.js';
import { containersAmong, isEngine, isShim, membersOf } from './members.js';
import { containerOf, stopSignalOf } from './stop-signals.js';

/**
 * What a host does before it turns itself off: the engine first, so that it starts nothing again,
 * then each container by its own stop signal, then whatever else runs. Each has its time; what is
 * left then ends with the power.
 */
export async function shutDown(
  deps: { host: MachineHost; layout: Layout },
  record: MachineRecord,
  init: ProcessInfo,
): Promise<void> {
  const { host, layout } = deps;
  const members = () => membersOf(init, host.table.list());
  const end = async (pick: () => ProcessInfo[], timeoutMs: number) => {
    for (const { pid } of pick()) host.table.signal(pid, 'SIGTERM');
    await waitUntil(host.clock, timeoutMs, () => pick().length === 0);
  };
  await end(() => members().filter((member) => isEngine(member, init)), ENGINE_STOP_TIMEOUT_MS);

  const running = members();
  for (const { pid, parentPid } of containersAmong(running)) {
    const id = containerOf(running.find((member) => member.pid === parentPid));
    const signal = id ? await stopSignalOf(host.disk, layout.data(record.name), id) : 'SIGTERM';
    host.table.signal(pid, signal);
  }
  const noneLeft = () => containersAmong(members()).length === 0;
  await waitUntil(host.clock, CONTAINERS_STOP_TIMEOUT_MS, noneLeft);

  // Process 1 has a child that it waits for: when that ends, all does.
  const others = () =>
    members().filter((member) => !isShim(member) && !isIdle(member, init) && !isHeld(member));
  await end(others, PROCESSES_STOP_TIMEOUT_MS);
}

function isIdle({ command, parentPid }: ProcessInfo, init: ProcessInfo): boolean {
  return parentPid === init.pid && command[0] === 'sleep';
}

/** A kernel thread, or a process that has just ended. */
function isHeld({ command }: ProcessInfo): boolean {
  return command.length === 0;
}
