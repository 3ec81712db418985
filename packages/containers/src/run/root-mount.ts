import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { hasErrno } from '@skep/platform';
import type { EngineContext } from '../engine/context.js';
import { ACCOUNT_FILE_BYTES_MAX } from '../limits.js';
import { scopedPath } from '../linux/scoped-path.js';
import type { ContainerRecord } from '../records/record.js';
import type { AccountFiles } from '../spec/user.js';

/**
 * Mounts a container's root file system. We do it and not the shim: the accounts of the image and
 * the content for new volumes are read through it before the process exists, and one mount serves
 * both.
 */
export function mountRoot(context: EngineContext, record: ContainerRecord): string {
  const target = context.paths.root(record.id);
  mkdirSync(target, { recursive: true, mode: 0o710 });
  for (const mount of record.rootMounts) context.kernel.mount(mount, target);
  return target;
}

/** Undoes {@link mountRoot}; no error when nothing is mounted. */
export function unmountRoot(context: EngineContext, id: string): void {
  const target = context.paths.root(id);
  context.kernel.unmount(target);
  rmdirIfEmpty(target);
}

/** The account files of a mounted root; the container's links cannot lead to the host's. */
export function readAccounts(rootPath: string): AccountFiles {
  return {
    passwd: readSmall(rootPath, '/etc/passwd'),
    group: readSmall(rootPath, '/etc/group'),
  };
}

function readSmall(rootPath: string, path: string): string {
  try {
    const hostPath = scopedPath(rootPath, path);
    const info = statSync(hostPath);
    if (!info.isFile() || info.size > ACCOUNT_FILE_BYTES_MAX) return '';
    return readFileSync(hostPath, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return '';
    throw error;
  }
}

/** Never recursive: should the unmount not have worked, the container's files must survive. */
function rmdirIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EBUSY')) throw error;
  }
}
