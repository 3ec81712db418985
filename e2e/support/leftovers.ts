import { readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';

/** Ids of the processes whose command line or environment of arguments mentions a path. */
export function processesMentioning(path: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path)) found.push(pid);
    } catch {
      // ended meanwhile
    }
  }
  return found;
}

/** Ids of the processes inside a network namespace (path of its file). */
export function processesInNamespace(inode: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    try {
      if (/^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/net`) === inode)
        found.push(Number(name));
    } catch {
      // ended meanwhile, or a kernel thread
    }
  }
  return found;
}

/** Mount points at or below a path, deepest first. */
export function mountsBelow(path: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point === path || point.startsWith(`${path}/`))
    .sort((a, b) => b.length - a.length);
}

/** Children of a process, and theirs. */
export function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

const CGROUP_ROOT = '/sys/fs/cgroup';

/** Removes the control groups of containers, in every hierarchy; their processes must have ended. */
export function removeControlGroups(containerIds: readonly string[]): void {
  for (const hierarchy of ['.', ...readdirSync(CGROUP_ROOT)]) {
    for (const id of containerIds) {
      try {
        rmdirSync(`${CGROUP_ROOT}/${hierarchy}/skep/${id}`);
      } catch {
        // not there, as it should be
      }
    }
  }
}
