import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Code, RpcError } from '@skep/platform';
import type { Launched, Launcher, LaunchRequest } from '../contract.js';

/** Starts programs in a session of their own: they outlive this process and its terminal. */
export class RealLauncher implements Launcher {
  launch({ command, args, logFile }: LaunchRequest): Launched {
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(command, args, {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'pipe', log],
    });
    closeSync(log);
    child.stdin?.on('error', () => {}); // it may end before it is told to go on
    const firstLine = readLine(child);
    firstLine.catch(() => {});
    return {
      line: (timeoutMs) => within(firstLine, timeoutMs, `${command}: no answer`),
      release: () => {
        child.stdin?.end('go\n');
        child.stdout?.destroy();
        child.unref();
      },
      abort: () => {
        child.stdin?.destroy();
        child.stdout?.destroy();
        child.kill('SIGKILL');
      },
    };
  }
}

function readLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      const how = signal ?? `exit code ${code}`;
      reject(new RpcError(Code.INTERNAL, `${child.spawnfile} ended: ${how}`));
    });
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
    });
  });
}

function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      reject(new RpcError(Code.DEADLINE_EXCEEDED, `${what} within ${timeoutMs} ms`));
    };
    const timer = setTimeout(giveUp, timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
