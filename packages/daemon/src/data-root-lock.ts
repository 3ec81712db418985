import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { OptionsError } from './config/options.js';

/** flock(2): exclusive, without waiting. */
const LOCK_EXCLUSIVE_NONBLOCKING = 2 | 4;

/**
 * Takes the data root for this process. The kernel lets go of the lock when the process ends, however it
 * ends, so no stale file can lock anybody out. Throws {@link OptionsError} when another daemon holds it.
 */
export function lockDataRoot(dataRoot: string): { release(): void } {
  mkdirSync(dataRoot, { recursive: true, mode: 0o711 });
  const path = join(dataRoot, 'skepd.lock');
  const fd = openSync(path, 'a+', 0o600);
  const flock = koffi.load('libc.so.6').func('int flock(int fd, int operation)');
  if (flock(fd, LOCK_EXCLUSIVE_NONBLOCKING) !== 0) {
    const holder = readFileSync(path, 'utf8').trim() || 'unknown';
    closeSync(fd);
    throw new OptionsError(`data root ${dataRoot} is in use by another skepd (pid ${holder})`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return { release: () => closeSync(fd) };
}
