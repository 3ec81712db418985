import { type CliContext, CommandError } from '../context.js';
import { engineHost } from './engine-host.js';
import type { GlobalFlags } from './global-flags.js';

/** What a shell answers for a program that is not there. */
const EXIT_NO_PROGRAM = 127;

/**
 * Runs a command of docker's by docker's own client, on the engine that is meant. `args` are all
 * words, as typed.
 */
export async function passThrough(
  context: CliContext,
  args: readonly string[],
  flags: GlobalFlags,
): Promise<number> {
  const host = engineHost(flags, context);
  // `context` is about the client alone, which would warn of a DOCKER_HOST.
  const isSet = host === undefined || flags.host !== undefined || flags.rest[0] === 'context';
  const env = isSet ? context.env : { ...context.env, DOCKER_HOST: host };
  const code = await context.foreground({ command: 'docker', args, env });
  if (code !== EXIT_NO_PROGRAM) return code;
  const typed = ['skep', ...args].join(' ');
  throw new CommandError(
    `"${typed}" needs the docker client, which is not installed (Debian: docker-cli or docker.io).\n` +
      'Without it there are: skep machine, skep version.',
    EXIT_NO_PROGRAM,
  );
}
