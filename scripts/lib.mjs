import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs a command in the root with our standard streams; throws when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed with exit code ${result.status}`);
  }
}

/** Output of a command, or undefined when it fails. */
export function output(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** Asks every 50 ms until the answer is truthy, and returns it; undefined when the time is over. */
export async function until(ask, timeoutMs) {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > giveUpAtMs) return undefined;
    await sleep(50);
  }
}

/** Containers, namespaces and firewall tables are root's to make. */
export function requireRoot(command) {
  if (process.getuid() !== 0) throw new Error(`${command} needs root (try: sudo ${command})`);
}

/** Prints the error without a stack and ends: what went wrong is in the output above it. */
export function fail(error) {
  console.error(`\nskep: ${error.message}`);
  process.exit(1);
}
