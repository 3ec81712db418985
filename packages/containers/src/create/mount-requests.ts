import { posix } from 'node:path';
import { Code, RpcError } from '@skep/platform';
import type { ContainerConfig, HostConfig, MountRequest } from '../contract/config.js';
import type { MountRecord } from '../records/record.js';

/** A mount as asked for; volumes have no path yet. */
export interface WantedMount extends Omit<MountRecord, 'Source'> {
  /** Host path of a bind; empty for volumes and tmpfs. */
  Source: string;
  /** Makes a missing bind source, as `-v` does and `--mount` does not. */
  createSource?: boolean;
  volumeLabels?: Record<string, string>;
  volumeDriver?: string;
  volumeOptions?: Record<string, string>;
}

const PROPAGATIONS = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);

/**
 * All mounts of a container: `Binds`, `Mounts`, `Tmpfs`, those of other containers, and the image's
 * and request's `Volumes`, of which each gives way to the ones before.
 */
export function wantedMounts(
  config: ContainerConfig,
  hostConfig: HostConfig,
  inherited: readonly WantedMount[] = [],
): WantedMount[] {
  const mounts = new Map<string, WantedMount>();
  const add = (mount: WantedMount) => {
    if (mounts.has(mount.Destination)) {
      throw new RpcError(Code.INVALID_ARGUMENT, `Duplicate mount point: ${mount.Destination}`);
    }
    mounts.set(mount.Destination, mount);
  };
  for (const bind of hostConfig.Binds ?? []) add(parseBind(bind, hostConfig.VolumeDriver));
  for (const request of hostConfig.Mounts) add(fromRequest(request));
  for (const [target, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    add(
      tmpfs(
        target,
        options.split(',').filter((option) => option !== ''),
      ),
    );
  }
  for (const mount of inherited) {
    if (!mounts.has(mount.Destination)) mounts.set(mount.Destination, mount);
  }
  for (const target of Object.keys(config.Volumes ?? {})) {
    const destination = posix.resolve('/', target);
    // An image's volume gives way to whatever the user mounts there.
    if (mounts.has(destination)) continue;
    mounts.set(destination, anonymousVolume(destination, hostConfig.VolumeDriver));
  }
  return [...mounts.values()];
}

function anonymousVolume(destination: string, volumeDriver: string): WantedMount {
  return { ...blank('volume', destination), anonymous: true, volumeDriver };
}

function blank(type: MountRecord['Type'], destination: string): WantedMount {
  return {
    Type: type,
    Source: '',
    Destination: posix.resolve('/', destination),
    Mode: '',
    RW: true,
    Propagation: type === 'bind' ? 'rprivate' : '',
  };
}

/** `source:target[:mode]`, or `target` alone for an anonymous volume. */
export function parseBind(text: string, volumeDriver = ''): WantedMount {
  const parts = text.split(':');
  if (parts.length > 3 || parts.some((part) => part === '')) {
    throw invalid(`invalid volume specification: '${text}'`);
  }
  if (parts.length === 1) {
    return anonymousVolume(requireAbsolute(text, parts[0] ?? ''), volumeDriver);
  }
  const [source = '', target = '', mode = ''] = parts;
  requireAbsolute(text, target);
  if (posix.normalize(target) === '/') {
    throw invalid(
      `invalid volume specification: '${text}': invalid mount config for type "bind": ` +
        "invalid specification: destination can't be '/'",
    );
  }
  const isBind = source.startsWith('/');
  const mount = blank(isBind ? 'bind' : 'volume', target);
  mount.Mode = mode;
  for (const option of mode.split(',').filter((item) => item !== '')) {
    if (option === 'ro') mount.RW = false;
    else if (option === 'nocopy' && !isBind) mount.noCopy = true;
    else if (PROPAGATIONS.has(option) && isBind) mount.Propagation = option;
    else if (!['rw', 'z', 'Z', 'consistent', 'cached', 'delegated'].includes(option)) {
      throw invalid(`invalid mode: ${mode}`);
    }
  }
  if (isBind) return { ...mount, Source: posix.resolve(source), createSource: true };
  return { ...mount, Name: source, volumeDriver };
}

function requireAbsolute(text: string, target: string): string {
  if (target.startsWith('/')) return target;
  throw invalid(
    `invalid volume specification: '${text}': invalid mount path: '${target}' ` +
      'mount path must be absolute',
  );
}

function fromRequest(request: MountRequest): WantedMount {
  const fail = (why: string) => invalid(`invalid mount config for type "${request.Type}": ${why}`);
  if (!['bind', 'volume', 'tmpfs'].includes(request.Type)) {
    throw fail('mount type unknown');
  }
  if (!request.Target) throw fail('field Target must not be empty');
  if (!request.Target.startsWith('/')) {
    throw fail(`invalid mount path: '${request.Target}' mount path must be absolute`);
  }
  if (posix.normalize(request.Target) === '/') {
    throw fail("invalid specification: destination can't be '/'");
  }
  const mount = blank(request.Type, request.Target);
  mount.RW = !request.ReadOnly;
  if (request.Type === 'bind') return bindRequest(mount, request, fail);
  if (request.Type === 'volume') return volumeRequest(mount, request, fail);
  if (request.Source) throw fail('field Source must not be specified');
  const { SizeBytes, Mode } = request.TmpfsOptions ?? {};
  const options = [
    ...(SizeBytes ? [`size=${SizeBytes}`] : []),
    ...(Mode ? [`mode=${Mode.toString(8)}`] : []),
  ];
  return { ...tmpfs(request.Target, options), RW: mount.RW };
}

function bindRequest(
  mount: WantedMount,
  request: MountRequest,
  fail: (why: string) => RpcError,
): WantedMount {
  const source = request.Source ?? '';
  if (source === '') throw fail('field Source must not be empty');
  if (!source.startsWith('/')) {
    throw fail(`invalid mount path: '${source}' mount path must be absolute`);
  }
  const options = request.BindOptions ?? {};
  if (options.Propagation && !PROPAGATIONS.has(options.Propagation)) {
    throw fail(`invalid propagation mode: ${options.Propagation}`);
  }
  return {
    ...mount,
    Source: posix.resolve(source),
    Propagation: options.Propagation || mount.Propagation,
    ...(options.NonRecursive ? { nonRecursive: true } : {}),
    ...(options.ReadOnlyNonRecursive ? { readOnlyNonRecursive: true } : {}),
    ...(options.CreateMountpoint ? { createSource: true } : {}),
  };
}

function volumeRequest(
  mount: WantedMount,
  request: MountRequest,
  fail: (why: string) => RpcError,
): WantedMount {
  const options = request.VolumeOptions ?? {};
  const subpath = options.Subpath ?? '';
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) {
    throw fail('subpath must be a relative path within the volume');
  }
  return {
    ...mount,
    ...(request.Source ? { Name: request.Source } : { anonymous: true }),
    volumeDriver: options.DriverConfig?.Name ?? '',
    ...(options.NoCopy ? { noCopy: true } : {}),
    ...(subpath ? { subpath } : {}),
    ...(options.Labels ? { volumeLabels: options.Labels } : {}),
    ...(options.DriverConfig?.Options ? { volumeOptions: options.DriverConfig.Options } : {}),
  };
}

function tmpfs(target: string, options: string[]): WantedMount {
  return {
    ...blank('tmpfs', target),
    RW: !options.includes('ro'),
    tmpfsOptions: options.filter((option) => option !== 'ro' && option !== 'rw'),
  };
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
