import { Code, RpcError } from '@skep/platform';
import type { MountRecord } from '../records/record.js';
import type { HostFacts } from './host.js';
import type { OciMount } from './oci.js';
import { kernelAtLeast } from './seccomp.js';

/** mount_setattr(2), which makes a whole tree of mounts read-only, came with this kernel. */
const RECURSIVE_READONLY_KERNEL = '5.12';

/** What every container has mounted, in the order it must be mounted. */
export function fixedMounts(options: { privileged: boolean }): OciMount[] {
  const access = options.privileged ? 'rw' : 'ro';
  return [
    mount('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', access]),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [access, 'nosuid', 'noexec', 'nodev']),
    mount('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
  ];
}

/** /dev/shm of the container's own. */
export function shmMount(bytes: number): OciMount {
  return mount('/dev/shm', 'tmpfs', 'shm', [
    'nosuid',
    'noexec',
    'nodev',
    'mode=1777',
    `size=${bytes}`,
  ]);
}

/** A file of the host bound into the container. */
export function fileMount(source: string, destination: string, readOnly: boolean): OciMount {
  return mount(destination, 'bind', source, ['rbind', 'rprivate', readOnly ? 'ro' : 'rw']);
}

/**
 * A bind, volume or tmpfs of the user. `source` is where a volume or bind stands on the host now.
 */
export function userMount(record: MountRecord, source: string, host: HostFacts): OciMount {
  if (record.Type === 'tmpfs') {
    const options = ['noexec', 'nosuid', 'nodev', ...(record.tmpfsOptions ?? [])];
    const access = record.RW ? [] : ['ro'];
    return mount(record.Destination, 'tmpfs', 'tmpfs', [...withoutOverridden(options), ...access]);
  }
  const isSupported = kernelAtLeast(host.kernelRelease, RECURSIVE_READONLY_KERNEL);
  if (record.readOnlyForced && !isSupported) {
    const text = `rro is not supported: kernel is older than ${RECURSIVE_READONLY_KERNEL}`;
    throw new RpcError(Code.INTERNAL, text);
  }
  const bind = record.nonRecursive ? 'bind' : 'rbind';
  const recursiveReadonly =
    !record.RW && !record.nonRecursive && !record.readOnlyNonRecursive && isSupported;
  const access = record.RW ? ['rw'] : recursiveReadonly ? ['ro', 'rro'] : ['ro'];
  return mount(record.Destination, 'bind', source, [
    bind,
    record.Propagation === '' ? 'rprivate' : record.Propagation,
    ...access,
  ]);
}

/** `exec` given by the user undoes the default `noexec`, and so on. */
function withoutOverridden(options: string[]): string[] {
  return options.filter((option) => {
    if (['exec', 'suid', 'dev'].includes(option)) return false;
    return !(option.startsWith('no') && options.includes(option.slice(2)));
  });
}

function mount(destination: string, type: string, source: string, options: string[]): OciMount {
  return { destination, type, source, options };
}

/** Mounts of a parent before those inside it, whatever order they were asked in. */
export function sortMounts(mounts: OciMount[]): OciMount[] {
  const depth = ({ destination }: OciMount) =>
    destination.split('/').filter((part) => part !== '').length;
  return mounts
    .map((entry, index) => ({ entry, index, depth: depth(entry) }))
    .sort((a, b) => a.depth - b.depth || a.index - b.index)
    .map(({ entry }) => entry);
}
