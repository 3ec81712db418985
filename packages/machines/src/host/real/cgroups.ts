import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno } from '@skep/platform';
import type { Cgroups } from '../contract.js';

const ROOT = '/sys/fs/cgroup';

/** The cgroups of this host, whether one tree or one for each controller. */
export class RealCgroups implements Cgroups {
  of(pid: number): string[] {
    try {
      const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
      return lines.map((line) => line.split(':').slice(2).join(':')).filter(isBelowRoot);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ESRCH')) return [];
      throw error;
    }
  }

  removeEmpty(paths: Iterable<string>): void {
    const hierarchies = [ROOT, ...readdirSync(ROOT).map((name) => join(ROOT, name))];
    for (const path of paths) {
      for (const hierarchy of hierarchies) removeUpwards(hierarchy, path);
    }
  }
}

function isBelowRoot(path: string): boolean {
  return path !== '/' && !path.startsWith('/..');
}

/** Stops at the first that is in use: the kernel refuses it. */
function removeUpwards(hierarchy: string, path: string): void {
  for (let at = path; isBelowRoot(at) && at !== '.'; at = dirname(at)) {
    if (!existsSync(join(hierarchy, at))) continue;
    try {
      rmdirSync(join(hierarchy, at));
    } catch {
      return;
    }
  }
}
