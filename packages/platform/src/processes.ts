import { spawn } from 'node:child_process';

export interface RunOptions {
  /** Written to standard input, which is then closed. */
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Kills the process and rejects when it has not ended by then. */
  timeoutMs?: number;
}

export interface RunResult {
  /** Exit code, or 128 + signal number's place-holder -1 when killed by a signal. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs short helper programs. Long-lived children have interfaces of their own. */
export interface Processes {
  /** Resolves when the program has ended, whatever its code; rejects when it cannot start or times out. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

/** Output kept of a helper program; more is an error, not a growing buffer. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const RUN_TIMEOUT_MS = 30_000;

export class RealProcesses implements Processes {
  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: options.env ?? process.env,
        timeout: options.timeoutMs ?? RUN_TIMEOUT_MS,
        killSignal: 'SIGKILL',
      });
      const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      let bytes = 0;
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > OUTPUT_BYTES_MAX) child.kill('SIGKILL');
          else output[name].push(chunk);
        });
      }
      child.on('error', reject);
      child.stdin.on('error', () => {}); // a program may end without reading its input
      child.on('close', (code) => {
        if (bytes > OUTPUT_BYTES_MAX) return reject(new Error(`${command}: too much output`));
        resolve({
          code: code ?? -1,
          stdout: Buffer.concat(output.stdout).toString('utf8'),
          stderr: Buffer.concat(output.stderr).toString('utf8'),
        });
      });
      child.stdin.end(options.input ?? '');
    });
  }
}

/** Runs a program that must succeed; the error carries the command and its standard error. */
export async function runOrThrow(
  processes: Processes,
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const result = await processes.run(command, args, options);
  if (result.code !== 0) {
    const said = result.stderr.trim() || result.stdout.trim();
    throw new Error(`${command} ${args.join(' ')}: exit ${result.code}: ${said}`);
  }
  return result.stdout;
}
