import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { constants } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { Machines, realHost } from '@skep/machines';
import { hasErrno } from '@skep/platform';
import type { CliContext, ForegroundRequest } from './context.js';

const ANSWER_TIMEOUT_MS = 10_000;
/** Docker's port without TLS. */
const PLAIN_PORT = 2375;
const EXIT_NO_PROGRAM = 127;
const EXIT_SIGNAL_BASE = 128;

/** This process, its terminal and this host. */
export function realContext(): CliContext {
  return {
    env: process.env,
    isRoot: process.getuid?.() === 0,
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    ask,
    foreground,
    get,
    readText,
    machines: (options) => new Machines({ host: realHost(), skepd: skepdProgram(), ...options }),
  };
}

/** `bin/skepd` beside our own `bin`; this file is packed into packages/cli/dist. */
function skepdProgram(): string {
  return fileURLToPath(new URL('../../../bin/skepd', import.meta.url));
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  const answer = await Promise.race([lines.question(question), closed]);
  lines.close();
  return answer;
}

/** The terminal sends its signals to both; those of others are handed on. */
function foreground({ command, args, env }: ForegroundRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...env } });
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => child.kill(signal));
    }
    child.on('error', (error) => {
      if (hasErrno(error, 'ENOENT')) resolve(EXIT_NO_PROGRAM);
      else reject(error);
    });
    child.on('close', (code, signal) => {
      resolve(code ?? EXIT_SIGNAL_BASE + (signal ? constants.signals[signal] : 0));
    });
  });
}

/** Undefined for what only docker's own client reaches. */
function addressOf(host: string): object | undefined {
  const socketPath = /^unix:\/\/(\/.*)$/.exec(host)?.[1];
  if (socketPath !== undefined) return { socketPath };
  const address = host.replace(/^tcp:/, 'http:');
  if (!/^http:/.test(address) || !URL.canParse(address)) return undefined;
  const { hostname, port } = new URL(address);
  return { host: hostname, port: port || PLAIN_PORT };
}

function get(host: string, path: string): Promise<unknown> {
  const where = addressOf(host);
  if (!where) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const options = { ...where, path, headers: { Host: 'skep' }, timeout: ANSWER_TIMEOUT_MS };
    const sent = request(options, async (answer) => {
      try {
        let text = '';
        for await (const chunk of answer.setEncoding('utf8')) text += chunk;
        resolve(answer.statusCode === 200 ? JSON.parse(text) : undefined);
      } catch {
        resolve(undefined);
      }
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}
