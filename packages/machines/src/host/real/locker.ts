import { closeSync, fstatSync, mkdirSync, openSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from '@skep/platform';
import koffi from 'koffi';
import type { Locker } from '../contract.js';

/** flock(2): exclusive, without waiting. */
const LOCK_EXCLUSIVE_NONBLOCKING = 2 | 4;

/**
 * Locks on files, which the kernel takes back however the process ends. Free locks leave no file,
 * and no directory if it holds nothing else.
 */
export class RealLocker implements Locker {
  readonly #flock = koffi.load('libc.so.6').func('int flock(int fd, int operation)');

  async tryLock(path: string): Promise<{ release(): void } | undefined> {
    const fd = openLockFile(path);
    if (fd === undefined) return undefined;
    const taken = this.#flock(fd, LOCK_EXCLUSIVE_NONBLOCKING) === 0;
    // The one before removed the file between our opening and our locking it: a lock nobody sees.
    if (!taken || !isAt(path, fd)) {
      closeSync(fd);
      return undefined;
    }
    return { release: () => release(path, fd) };
  }
}

/** Undefined when its directory was just removed by somebody who has released a lock. */
function openLockFile(path: string): number | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isAt(path: string, fd: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}

function release(path: string, fd: number): void {
  rmSync(path, { force: true });
  closeSync(fd);
  try {
    rmdirSync(dirname(path));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EBUSY')) throw error;
  }
}
