import type { ContainerRecord } from '../records/record.js';
import type { GivenDevice } from './devices.js';
import type { HostFacts } from './host.js';
import { fileMount, fixedMounts, shmMount, sortMounts, userMount } from './mounts.js';
import type { OciDevice, OciMount, OciNamespace, OciSpec } from './oci.js';
import { containerProcess, INIT_TARGET, usesInit } from './process.js';
import { containerResources } from './resources.js';
import { protectedPaths, seccompFilter } from './security.js';
import type { ResolvedUser } from './user.js';

/** cgroup that holds all containers, under each hierarchy's root. */
export const CGROUP_PARENT = '/skep';

/** Everything the spec of one start depends on; the spec is a pure function of it. */
export interface SpecInput {
  record: ContainerRecord;
  host: HostFacts;
  user: ResolvedUser;
  /** Host path of the mounted root file system. */
  rootPath: string;
  /** Path of the network namespace; empty for the host's. */
  netnsPath: string;
  /** Namespaces of other containers to join, by `PidMode`/`IpcMode` `container:…`. */
  pidNamespacePath?: string | undefined;
  ipcNamespacePath?: string | undefined;
  /** Host path of /dev/shm to share with `ipcNamespacePath`. */
  sharedShmPath?: string | undefined;
  /** Where each of `record.mounts` stands on the host, in the same order (empty for tmpfs). */
  mountSources: string[];
  /** Files of the engine: /etc/hosts and its like, then secrets and configs. */
  files: { source: string; destination: string; readOnly: boolean }[];
  /** All device nodes of the host, for privileged containers. */
  hostDevices: OciDevice[];
  /** What `--device` asks for. */
  givenDevices: GivenDevice[];
}

/** The OCI runtime spec of a container. Throws `RpcError` for what Docker refuses at start. */
export function containerSpec(input: SpecInput): OciSpec {
  const { record, host } = input;
  const { config, hostConfig } = record;
  const process = containerProcess(record, input.user, host);
  const seccomp = seccompFilter(hostConfig, process.capabilities.bounding, host);
  const { maskedPaths, readonlyPaths } = protectedPaths(hostConfig);
  return {
    ociVersion: '1.0.2',
    process,
    root: { path: input.rootPath, readonly: hostConfig.ReadonlyRootfs },
    ...(hostConfig.UTSMode === 'host' ? {} : { hostname: config.Hostname }),
    ...(config.Domainname && hostConfig.UTSMode !== 'host'
      ? { domainname: config.Domainname }
      : {}),
    mounts: containerMounts(input),
    ...(hostConfig.Annotations ? { annotations: hostConfig.Annotations } : {}),
    linux: {
      namespaces: containerNamespaces(input),
      cgroupsPath: `${CGROUP_PARENT}/${record.id}`,
      resources: containerResources(hostConfig, host, input.givenDevices),
      ...containerDevices(input),
      ...(seccomp ? { seccomp } : {}),
      sysctl: containerSysctls(record),
      maskedPaths,
      readonlyPaths,
      ...rootPropagation(record),
    },
  };
}

function containerMounts(input: SpecInput): OciMount[] {
  const { record, host } = input;
  const { hostConfig } = record;
  const taken = new Set([
    ...record.mounts.map((mount) => mount.Destination),
    ...input.files.map((file) => file.destination),
  ]);
  const shm = input.sharedShmPath
    ? fileMount(input.sharedShmPath, '/dev/shm', false)
    : shmMount(hostConfig.ShmSize);
  const own = hostConfig.IpcMode === 'none' ? [] : [shm];
  const fixed = [...fixedMounts({ privileged: hostConfig.Privileged }), ...own].filter(
    (mount) => !taken.has(mount.destination),
  );
  const user = record.mounts.map((mount, index) =>
    userMount(mount, input.mountSources[index] ?? mount.Source, host),
  );
  const ours = new Set(record.mounts.map((mount) => mount.Destination));
  const files = input.files
    .filter((file) => !ours.has(file.destination))
    .map((file) => fileMount(file.source, file.destination, file.readOnly));
  const init =
    usesInit(hostConfig) && host.initPath ? [fileMount(host.initPath, INIT_TARGET, true)] : [];
  return [...fixed, ...sortMounts([...user, ...files, ...init])];
}

/** A privileged container has the host's devices as well, and a given one in place of another. */
function containerDevices(input: SpecInput): { devices?: OciDevice[] } {
  const given = input.givenDevices.map(({ device }) => device);
  const taken = new Set(given.map(({ path }) => path));
  const devices = [...input.hostDevices.filter(({ path }) => !taken.has(path)), ...given];
  return devices.length > 0 ? { devices } : {};
}

function containerNamespaces(input: SpecInput): OciNamespace[] {
  const { hostConfig } = input.record;
  const namespaces: OciNamespace[] = [{ type: 'mount' }];
  if (hostConfig.UTSMode !== 'host') namespaces.push({ type: 'uts' });
  if (input.pidNamespacePath) namespaces.push({ type: 'pid', path: input.pidNamespacePath });
  else if (hostConfig.PidMode !== 'host') namespaces.push({ type: 'pid' });
  if (input.ipcNamespacePath) namespaces.push({ type: 'ipc', path: input.ipcNamespacePath });
  else if (hostConfig.IpcMode !== 'host') namespaces.push({ type: 'ipc' });
  if (input.netnsPath !== '') namespaces.push({ type: 'network', path: input.netnsPath });
  // On v2 a container must see only its own subtree; on v1 Docker shares the host's.
  const usual = input.host.cgroupMode === 'v2' && !hostConfig.Privileged ? 'private' : 'host';
  if ((hostConfig.CgroupnsMode || usual) === 'private') namespaces.push({ type: 'cgroup' });
  return namespaces;
}

/** Network sysctls are set by whoever made the network namespace. */
function containerSysctls(record: ContainerRecord): Record<string, string> {
  const asked = Object.entries(record.hostConfig.Sysctls ?? {});
  return Object.fromEntries(asked.filter(([name]) => !name.startsWith('net.')));
}

/** A shared or slave bind needs its root to propagate as well. */
function rootPropagation(record: ContainerRecord): { rootfsPropagation?: string } {
  const modes = record.mounts.map((mount) => mount.Propagation);
  if (modes.some((mode) => mode === 'shared' || mode === 'rshared')) {
    return { rootfsPropagation: 'shared' };
  }
  if (modes.some((mode) => mode === 'slave' || mode === 'rslave')) {
    return { rootfsPropagation: 'rslave' };
  }
  return {};
}
