import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasErrno } from '@skep/platform';
import type { ProcessInfo, ProcessTable } from '../contract.js';

/** Fields of /proc/PID/stat after the command's name, which may itself hold spaces and brackets. */
const STATE = 0;
const PARENT = 1;
const START_TICKS = 19;

/** The processes of this host, from /proc. */
export class RealProcessTable implements ProcessTable {
  list(): ProcessInfo[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => this.get(Number(name)))
      .filter((info) => info !== undefined);
  }

  get(pid: number): ProcessInfo | undefined {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[STATE] === 'Z' || fields[STATE] === 'X') return undefined;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const numbers = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
      return {
        pid,
        parentPid: Number(fields[PARENT]),
        startTicks: Number(fields[START_TICKS]),
        pidNamespace: readlinkSync(`/proc/${pid}/ns/pid`),
        innerPid: Number(numbers.at(-1) ?? pid),
        command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean),
      };
    } catch (error) {
      // It ended while it was looked at; kernel threads have no namespaces to show.
      if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES')) return undefined;
      throw error;
    }
  }

  signal(pid: number, signal: NodeJS.Signals | number): void {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }
}
