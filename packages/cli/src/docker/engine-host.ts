import { join } from 'node:path';
import type { CliContext } from '../context.js';
import type { GlobalFlags } from './global-flags.js';

export const DEFAULT_HOST = 'unix:///run/skep/skep.sock';
const DEFAULT_CONTEXT = 'default';

type Surroundings = Pick<CliContext, 'env' | 'readText'>;

/**
 * The engine that docker would be told of, by docker's own order: `-H`, `--context`, DOCKER_HOST,
 * DOCKER_CONTEXT, the chosen context of its configuration. The default context is the skepd of this
 * host. Undefined where a context other than the default decides: only docker reads those.
 */
export function engineHost(flags: GlobalFlags, surroundings: Surroundings): string | undefined {
  const { env } = surroundings;
  if (flags.host !== undefined) return flags.host;
  if (flags.context === undefined && env['DOCKER_HOST']) return env['DOCKER_HOST'];
  const context = flags.context ?? env['DOCKER_CONTEXT'] ?? chosenContext(flags, surroundings);
  if (context && context !== DEFAULT_CONTEXT) return undefined;
  return env['DOCKER_HOST'] || DEFAULT_HOST;
}

function chosenContext(flags: GlobalFlags, surroundings: Surroundings): string | undefined {
  const { env } = surroundings;
  const ofUser = join(env['HOME'] ?? '/root', '.docker');
  const directory = flags.config ?? env['DOCKER_CONFIG'] ?? ofUser;
  try {
    const file = JSON.parse(surroundings.readText(join(directory, 'config.json')) ?? '{}');
    return (file as { currentContext?: string }).currentContext;
  } catch {
    return undefined; // docker says itself what is wrong with its file
  }
}
