import { readFileSync } from 'node:fs';
import { errorMessage, hasErrno, RpcError } from '@skep/platform';
import { HELP } from './config/help.js';
import { type DaemonOptions, OptionsError } from './config/options.js';
import { type CommandLine, parseCommandLine, resolveOptions } from './config/parse.js';
import { Daemon } from './daemon.js';
import { lockDataRoot } from './data-root-lock.js';
import { createLogger } from './log.js';
import { VERSION } from './version.js';

/** Time a clean stop may take before the process ends all the same. */
const STOP_TIMEOUT_MS = 15_000;

/** The program `skepd`. */
async function main(args: readonly string[]): Promise<void> {
  try {
    const commandLine = parseCommandLine(args);
    if (commandLine.help) return void process.stdout.write(HELP);
    if (commandLine.version) return void process.stdout.write(`skepd ${VERSION}\n`);
    await run(resolveOptions(commandLine.values, readConfigFile(commandLine)));
  } catch (error) {
    process.stderr.write(`skepd: ${explain(error)}\n`);
    process.exit(1);
  }
}

/** One line for what the user or the machine can mend, the whole stack for what only we can. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOfTheMachine = 'syscall' in error;
  const isKnown = error instanceof OptionsError || error instanceof RpcError || isOfTheMachine;
  return isKnown ? error.message : (error.stack ?? error.message);
}

function readConfigFile({ configFile, configFileGiven }: CommandLine): unknown {
  try {
    return JSON.parse(readFileSync(configFile, 'utf8'));
  } catch (error) {
    if (hasErrno(error, 'ENOENT') && !configFileGiven) return undefined;
    const text = `unable to configure the daemon with file ${configFile}: ${errorMessage(error)}`;
    throw new OptionsError(text);
  }
}

async function run(options: DaemonOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new OptionsError('skepd needs to be started as root');
  const lock = lockDataRoot(options.dataRoot);
  const log = createLogger(options.logLevel);
  const onFatal = (error: unknown) => {
    const stack = error instanceof Error ? error.stack : String(error);
    log.error({ stack }, 'fatal: the daemon stops rather than go on with a broken state');
    process.exit(70);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  const daemon = new Daemon(options, { log, onFatal });
  stopOnSignals(async () => {
    await daemon.stop();
    lock.release();
  });
  await daemon.start();
  log.info({ version: VERSION, dataRoot: options.dataRoot }, 'skepd is ready');
}

/** The first signal stops cleanly, the second at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = () => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
}

await main(process.argv.slice(2));
