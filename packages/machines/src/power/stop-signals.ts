import { constants } from 'node:os';
import type { Disk } from '@skep/platform';
import type { ProcessInfo } from '../host/contract.js';

/** glibc's first real-time signal; SIGRTMIN+3 is what stops a systemd. */
const FIRST_REAL_TIME_SIGNAL = 34;
const LAST_SIGNAL = 64;
const CONTAINER_ID = /^[0-9a-f]{64}$/;

/** A container's StopSignal (`SIGINT`, `int`, `2`, `SIGRTMIN+3`) as a number; SIGTERM's if it is none. */
export function signalNumber(text: string): number {
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  const numbers: Record<string, number> = constants.signals;
  const number = realTime
    ? FIRST_REAL_TIME_SIGNAL + Number(realTime[1] ?? 0)
    : (numbers[name] ?? Number(text));
  const isSignal = Number.isInteger(number) && number >= 1 && number <= LAST_SIGNAL;
  return isSignal ? number : constants.signals.SIGTERM;
}

/** A shim's command line names its container: `… -namespace skep -id ID …`. */
export function containerOf(shim: ProcessInfo | undefined): string | undefined {
  const { command = [] } = shim ?? {};
  const id = command[command.indexOf('-id') + 1] ?? '';
  return CONTAINER_ID.test(id) ? id : undefined;
}

/** The signal a container wants to be stopped by, from its record below the machine's data root. */
export async function stopSignalOf(
  disk: Disk,
  dataRoot: string,
  containerId: string,
): Promise<number> {
  const path = `${dataRoot}/containers/${containerId}/config.json`;
  if (!(await disk.stat(path))) return constants.signals.SIGTERM;
  const record = JSON.parse(Buffer.from(await disk.readFile(path)).toString()) as {
    config?: { StopSignal?: string };
  };
  return signalNumber(record.config?.StopSignal ?? 'SIGTERM');
}
