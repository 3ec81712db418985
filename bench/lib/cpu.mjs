import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat after the command's name. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** The process of a machine whose command line has a word in it. */
export function processIn(machinePid, word) {
  const namespace = readlinkSync(`/proc/${machinePid}/ns/pid`);
  const isIt = (pid) => {
    try {
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) return false;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return command.some((part) => part.endsWith(word));
    } catch {
      return false; // ended meanwhile
    }
  };
  const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isIt(name));
  if (found === undefined) throw new Error(`no ${word} in the machine`);
  return Number(found);
}

function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND;
}

/** Cores a process keeps busy, over some time from now. */
export async function coresUsed(pid, overMs) {
  const begun = cpuSeconds(pid);
  await sleep(overMs);
  return (cpuSeconds(pid) - begun) / (overMs / 1_000);
}
