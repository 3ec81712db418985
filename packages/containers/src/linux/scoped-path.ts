import { lstatSync, readlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { hasErrno } from '@skep/platform';
import { SYMLINKS_MAX } from '../limits.js';

/**
 * The host path of a path inside a container's root, with symbolic links followed as the container
 * would: an absolute link, or `..`, never leaves `root`. Parts that do not exist are taken as they
 * are.
 */
export function scopedPath(root: string, path: string): string {
  const pending = path.split('/').filter((part) => part !== '' && part !== '.');
  let current = '/';
  let links = 0;
  while (pending.length > 0) {
    const part = pending.shift() as string;
    if (part === '..') {
      current = posix.dirname(current);
      continue;
    }
    const next = posix.join(current, part);
    const target = linkTarget(join(root, next));
    if (target === undefined) {
      current = next;
      continue;
    }
    if (++links > SYMLINKS_MAX) {
      throw Object.assign(new Error(`too many links in ${path}`), { code: 'ELOOP' });
    }
    if (target.startsWith('/')) current = '/';
    pending.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
  }
  return join(root, current);
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
