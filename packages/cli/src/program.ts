import { errorMessage } from '@skep/platform';
import { Command, CommanderError } from 'commander';
import { type CliContext, CommandError } from './context.js';
import { DEFAULT_HOST, engineHost } from './docker/engine-host.js';
import { type GlobalFlags, readGlobalFlags } from './docker/global-flags.js';
import { passThrough } from './docker/pass-through.js';
import { MachineProgram } from './machine/program.js';
import { VERSION } from './version.js';

/** Words of our own; all others are docker's. */
const OWN = ['machine', 'version', 'help'];

const AFTER_HELP = `
Every other command is docker's, by its own client and on the same engine:
  skep swarm init, skep service create --replicas 3 -p 80:80 nginx, skep stack deploy, skep node ls ...

The engine is that of -H, --context, DOCKER_HOST or docker's chosen context; else ${DEFAULT_HOST}.`;

/** Runs one command line; resolves with the exit code. `args` without program and script. */
export async function runCli(context: CliContext, args: readonly string[]): Promise<number> {
  const flags = readGlobalFlags(args);
  const [word] = flags.rest;
  const isOwn = word === undefined || OWN.includes(word) || /^(-h|--help|-v|--version)$/.test(word);
  try {
    if (!isOwn) return await passThrough(context, args, flags);
    return await runOwn(context, flags);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    context.error(`${errorMessage(error)}\n`);
    return error instanceof CommandError ? error.exitCode : 1;
  }
}

async function runOwn(context: CliContext, flags: GlobalFlags): Promise<number> {
  let exitCode = 0;
  const program = new Command('skep')
    .description('Docker swarm mode, rebuilt: the command line')
    .version(`skep version ${VERSION}`, '-v, --version', 'Print the version and quit')
    .helpOption('-h, --help', 'Print this, or the help of a command')
    .option('-H, --host <url>', 'Engine to talk to: unix:///PATH or tcp://IP:PORT')
    .option('-c, --context <name>', "One of docker's contexts")
    .enablePositionalOptions()
    .addHelpText('after', AFTER_HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out(text),
      writeErr: (text) => context.error(text),
    });
  program
    .command('version')
    .description('Versions of this client and of the engine')
    .action(() => printVersion(context, flags));
  new MachineProgram(program, context, (code) => {
    exitCode = code;
  });
  if (flags.rest.length === 0) context.out(program.helpInformation() + AFTER_HELP.concat('\n'));
  else await program.parseAsync(flags.rest, { from: 'user' });
  return exitCode;
}

async function printVersion(context: CliContext, flags: GlobalFlags): Promise<void> {
  context.out(`Client: Skep\n Version:     ${VERSION}\n`);
  const host = engineHost(flags, context);
  const answer = host && (await context.get(host, '/version'));
  if (!answer) {
    const where = host ?? "docker's chosen context";
    throw new CommandError(`Cannot connect to the engine at ${where}. Is skepd running?`);
  }
  const { Version, ApiVersion, MinAPIVersion } = answer as Record<string, string>;
  const api = `${ApiVersion} (minimum version ${MinAPIVersion})`;
  context.out(`\nServer:\n Version:     ${Version}\n API version: ${api}\n`);
}
