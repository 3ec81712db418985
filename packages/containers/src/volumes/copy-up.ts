import { chmodSync, chownSync, existsSync, readdirSync, statSync } from 'node:fs';
import { type Processes, runOrThrow } from '@skep/platform';
import { scopedPath } from '../linux/scoped-path.js';

const COPY_TIMEOUT_MS = 10 * 60_000;

/**
 * Gives a new, empty volume what the image has at the mount point, with owners and modes, so that a
 * volume mounted over a filled directory does not hide its content.
 */
export async function copyUp(
  processes: Processes,
  rootPath: string,
  destination: string,
  dataPath: string,
): Promise<void> {
  const source = scopedPath(rootPath, destination);
  if (!existsSync(source) || !statSync(source).isDirectory()) return;
  if (readdirSync(dataPath).length > 0) return;
  if (readdirSync(source).length > 0) {
    const args = ['-a', '--', `${source}/.`, dataPath];
    await runOrThrow(processes, 'cp', args, { timeoutMs: COPY_TIMEOUT_MS });
  }
  const { uid, gid, mode } = statSync(source);
  chownSync(dataPath, uid, gid);
  chmodSync(dataPath, mode & 0o7777);
}
