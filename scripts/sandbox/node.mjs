// Where the sandbox node of `npm start` lives. Everything of it is below these two directories.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineClient } from './engine-client.mjs';

const NAME = 'node1';

/** Parent of the data roots; holds each node's log, configuration and what `npm start` noted. */
export const STATE_DIRECTORY = '/var/lib/skep/sandbox';
export const RUN_DIRECTORY = '/run/skep/sandbox';

export const dataRoot = join(STATE_DIRECTORY, NAME);
export const execRoot = join(RUN_DIRECTORY, NAME);
export const logFile = join(STATE_DIRECTORY, `${NAME}.log`);
export const configFile = join(STATE_DIRECTORY, `${NAME}.json`);
/** What the host's ip_forward was before the node turned it on. */
export const forwardingNote = join(STATE_DIRECTORY, 'ip_forward');
export const socket = join(execRoot, 'skep.sock');

export const engine = new EngineClient(socket);

/** Words of a process's command line; none when it has ended. */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  } catch {
    return [];
  }
}

/** Id of the node's skepd, if it runs: the data root's lock names it, its command line proves it. */
export function daemonPid() {
  let pid;
  try {
    pid = Number.parseInt(readFileSync(join(dataRoot, 'skepd.lock'), 'utf8'), 10);
  } catch {
    return undefined;
  }
  return pid > 1 && commandLine(pid).includes(dataRoot) ? pid : undefined;
}

/** Last lines of the daemon's log. */
export function logTail(lineCount = 20) {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lineCount).join('\n');
  } catch {
    return '(no log)';
  }
}
