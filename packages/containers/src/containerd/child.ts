import { spawn } from 'node:child_process';
import { closeSync, copyFileSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from '@skep/platform';

/** Processes that outlive their parent, as the supervisor of containerd needs them. */
export interface DetachedProcesses {
  /**
   * Starts a program in a session of its own, its output appended to `logPath`. `onExit` is called
   * when it ends while we live. Rejects when it cannot be started.
   */
  spawn(
    command: string,
    args: readonly string[],
    options: { logPath: string; onExit: () => void },
  ): Promise<{ pid: number }>;
  /** The command line of a living process; undefined when there is none (a zombie has none). */
  commandLine(pid: number): string[] | undefined;
  /** No error when the process is gone. */
  kill(pid: number, signal: NodeJS.Signals): void;
  /** Cuts a log that others append to: over the limit its content moves to `<path>.1`. */
  limitLog(path: string, bytesMax: number): void;
}

export class RealDetachedProcesses implements DetachedProcesses {
  spawn(
    command: string,
    args: readonly string[],
    options: { logPath: string; onExit: () => void },
  ): Promise<{ pid: number }> {
    return new Promise((resolve, reject) => {
      const log = openSync(options.logPath, 'a', 0o600);
      const child = spawn(command, args, {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: dirname(options.logPath),
      });
      closeSync(log);
      child.unref();
      child.once('error', reject);
      child.once('exit', options.onExit);
      child.once('spawn', () => resolve({ pid: child.pid as number }));
    });
  }

  commandLine(pid: number): string[] | undefined {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words.length > 1 ? words.slice(0, -1) : undefined;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
      throw error;
    }
  }

  kill(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }

  limitLog(path: string, bytesMax: number): void {
    try {
      if (statSync(path).size <= bytesMax) return;
      // The writer holds the file open for appending, so it is emptied in place, not renamed.
      copyFileSync(path, `${path}.1`);
      truncateSync(path, 0);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}
