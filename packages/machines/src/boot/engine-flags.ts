import { Code, RpcError } from '@skep/platform';
import type { Engine } from '../contract.js';

const OPTION = /^-{0,2}([a-z][a-z0-9-]*)(?:=(.*))?$/s;
/** The machine has its own; another would take them from under it. */
const FIXED = ['data-root', 'exec-root', 'pidfile'];

/** Paths inside a machine: all engines keep to the directories that are the machine's own. */
const SOCKET = 'unix:///run/skep/skep.sock';
/** The host's own configuration file is not for a machine. */
const CONFIG_FILE = '/var/lib/skep/daemon.json';

/** `--engine-opt`'s `log-level=debug` (dashes before it do no harm) as a flag of the engine. */
export function engineFlag(option: string): string {
  const [, name, value] = OPTION.exec(option) ?? [];
  if (name === undefined) {
    throw new RpcError(Code.INVALID_ARGUMENT, `invalid engine option "${option}": use FLAG=VALUE`);
  }
  if (FIXED.includes(name)) {
    throw new RpcError(Code.INVALID_ARGUMENT, `a machine's ${name} is its own and stays so`);
  }
  return value === undefined ? `--${name}` : `--${name}=${value}`;
}

/** The whole command of a machine's engine; empty without one. `skepd`: our daemon's program. */
export function engineCommand(
  engine: Engine,
  flags: readonly string[],
  skepd: string,
): readonly string[] {
  const common = [`--config-file=${CONFIG_FILE}`, `--host=${SOCKET}`, ...flags];
  if (engine === 'skepd') {
    return [skepd, '--data-root=/var/lib/skep', '--exec-root=/run/skep', ...common];
  }
  if (engine === 'dockerd') {
    const run = ['--exec-root=/run/skep/docker', '--pidfile=/run/skep/docker.pid'];
    return ['dockerd', '--data-root=/var/lib/skep/docker', ...run, ...common];
  }
  return [];
}
