import { Code, RpcError } from '@skep/platform';

const OPTION = /^-{0,2}([a-z][a-z0-9-]*)(?:=(.*))?$/s;
/** The machine has its own; another would take them from under it. */
const FIXED = ['data-root', 'exec-root'];

/** `--engine-opt`'s `log-level=debug` (dashes before it do no harm) as a flag of skepd. */
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

/** The whole command of a machine's engine. The host's own configuration file is not for it. */
export function engineCommand(skepd: string, flags: readonly string[]): string[] {
  const namesHost = flags.some((flag) => /^--host(=|$)/.test(flag));
  const socket = namesHost ? ['--host=unix:///run/skep/skep.sock'] : [];
  const config = '--config-file=/var/lib/skep/daemon.json';
  return [skepd, '--data-root=/var/lib/skep', '--exec-root=/run/skep', config, ...socket, ...flags];
}
