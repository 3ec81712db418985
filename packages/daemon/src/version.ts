import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';

/** The version of this program, from its package. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;

/** When this file was built, RFC 3339. */
export const BUILD_TIME: string = statSync(new URL(import.meta.url)).mtime.toISOString();

/** Short commit of the checkout it runs from; `unknown` outside of one. */
export const COMMIT: string = readCommit();

function readCommit(): string {
  try {
    const cwd = new URL('.', import.meta.url).pathname;
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}
