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

/** Without effect on Linux. */
const CONSISTENCIES = new Set(['', 'default', 'consistent', 'cached', 'delegated']);

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
  const fail = (why = '') => invalid(`invalid volume specification: '${text}'${why}`);
  const parts = text.split(':');
  if (parts.length > 3 || parts.some((part) => part === '')) throw fail();
  const [source = '', target = '', mode = ''] = parts.length === 1 ? ['', ...parts] : parts;
  if (parts.length === 2 && isMode(target)) throw fail(); // `/target:ro` has no source
  const isBind = source.startsWith('/');
  const type = isBind ? 'bind' : 'volume';
  checkTarget(target, (why) => fail(`: invalid mount config for type "${type}": ${why}`));
  if (source === '') return anonymousVolume(target, volumeDriver);
  if (!isMode(mode)) throw invalid(`invalid mode: ${mode}`);
  const mount = { ...blank(type, target), Mode: mode };
  for (const option of mode.split(',')) {
    if (option === 'ro') mount.RW = false;
    else if (option === 'nocopy' && !isBind) mount.noCopy = true;
    else if (PROPAGATIONS.has(option)) {
      if (!isBind) throw fail(`: invalid mount config for type "volume": ${NO_BIND_OPTIONS}`);
      mount.Propagation = option;
    } else if (option === 'nocopy') {
      throw fail(
        ': invalid mount config for type "bind": field VolumeOptions must not be specified',
      );
    }
  }
  if (isBind) return { ...mount, Source: posix.resolve(source), createSource: true };
  return { ...mount, Name: source, volumeDriver };
}

/** Kinds of words in a mode, of which each may be said once. */
const MODE_WORDS: readonly ReadonlySet<string>[] = [
  new Set(['ro', 'rw']),
  new Set(['z', 'Z']),
  PROPAGATIONS,
  new Set(['nocopy']),
  new Set(['consistent', 'cached', 'delegated']),
];

function isMode(text: string): boolean {
  if (text === '') return true;
  const kinds = text.split(',').map((word) => MODE_WORDS.findIndex((words) => words.has(word)));
  return !kinds.includes(-1) && new Set(kinds).size === kinds.length;
}

type Fail = (why: string) => RpcError;

function checkTarget(target: string, fail: Fail): void {
  if (target === '') throw fail('field Target must not be empty');
  if (posix.normalize(target) === '/') {
    throw fail("invalid specification: destination can't be '/'");
  }
  checkAbsolute(target, fail);
}

function checkAbsolute(path: string, fail: Fail): void {
  if (!path.startsWith('/')) {
    throw fail(`invalid mount path: '${path}' mount path must be absolute`);
  }
}

const NO_BIND_OPTIONS = 'field BindOptions must not be specified';

function fromRequest(request: MountRequest): WantedMount {
  const fail: Fail = (why) => invalid(`invalid mount config for type "${request.Type}": ${why}`);
  checkTarget(request.Target ?? '', fail);
  const { BindOptions, Consistency = '', Type } = request;
  if (!CONSISTENCIES.has(Consistency)) throw fail(`invalid consistency: ${Consistency}`);
  if (Type === 'bind') return bindRequest(request, fail);
  if (Type !== 'volume' && Type !== 'tmpfs' && Type !== 'image') throw fail('mount type unknown');
  if (BindOptions) throw fail(NO_BIND_OPTIONS);
  if (Type === 'volume') return volumeRequest(request, fail);
  return Type === 'image' ? imageRequest(request, fail) : tmpfsRequest(request, fail);
}

function requested({ ReadOnly, Target, Type }: MountRequest): WantedMount {
  return { ...blank(Type, Target), RW: !ReadOnly };
}

function bindRequest(request: MountRequest, fail: Fail): WantedMount {
  const source = request.Source ?? '';
  const options = request.BindOptions ?? {};
  if (source === '') throw fail('field Source must not be empty');
  if (options.Propagation && !PROPAGATIONS.has(options.Propagation)) {
    throw fail(`invalid propagation mode: ${options.Propagation}`);
  }
  if (request.VolumeOptions) throw fail('field VolumeOptions must not be specified');
  checkAbsolute(source, fail);
  checkReadOnlyOptions(request);
  const mount = requested(request);
  return {
    ...mount,
    Source: posix.resolve(source),
    Propagation: options.Propagation || mount.Propagation,
    ...(options.NonRecursive ? { nonRecursive: true } : {}),
    ...(options.ReadOnlyNonRecursive ? { readOnlyNonRecursive: true } : {}),
    ...(options.ReadOnlyForceRecursive ? { readOnlyForced: true } : {}),
    ...(options.CreateMountpoint ? { createSource: true } : {}),
  };
}

function checkReadOnlyOptions({ BindOptions, ReadOnly }: MountRequest): void {
  const { ReadOnlyForceRecursive: forced, ReadOnlyNonRecursive: partial } = BindOptions ?? {};
  const conflict = (what: string) => invalid(`mount options conflict: ${what}`);
  if (!ReadOnly && partial) throw conflict('!ReadOnly && BindOptions.ReadOnlyNonRecursive');
  if (!ReadOnly && forced) throw conflict('!ReadOnly && BindOptions.ReadOnlyForceRecursive');
  if (partial && forced) {
    throw conflict('ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive');
  }
}

function volumeRequest(request: MountRequest, fail: Fail): WantedMount {
  const options = request.VolumeOptions ?? {};
  const subpath = options.Subpath ?? '';
  if (!request.Source) {
    if (subpath) throw fail('must not set Subpath when using anonymous volumes');
    if (request.ReadOnly) throw fail('must not set ReadOnly mode when using anonymous volumes');
  }
  checkSubpath(subpath, fail);
  return {
    ...requested(request),
    ...(request.Source ? { Name: request.Source } : { anonymous: true }),
    volumeDriver: options.DriverConfig?.Name ?? '',
    ...(options.NoCopy ? { noCopy: true } : {}),
    ...(subpath ? { subpath } : {}),
    ...(options.Labels ? { volumeLabels: options.Labels } : {}),
    ...(options.DriverConfig?.Options ? { volumeOptions: options.DriverConfig.Options } : {}),
  };
}

function imageRequest(request: MountRequest, fail: Fail): WantedMount {
  if (!request.Source) throw fail('field Source must not be empty');
  const subpath = request.ImageOptions?.Subpath ?? '';
  checkSubpath(subpath, fail);
  const mount = { ...requested(request), Source: request.Source, Propagation: 'rprivate' };
  return subpath ? { ...mount, subpath } : mount;
}

function checkSubpath(subpath: string, fail: Fail): void {
  if (subpath.startsWith('/') || /^\.\.(\/|$)/.test(posix.normalize(subpath))) {
    throw fail('subpath must be a relative path within the volume');
  }
}

function tmpfsRequest(request: MountRequest, fail: Fail): WantedMount {
  if (request.Source) throw fail('field Source must not be specified');
  const { Mode, Options, SizeBytes } = request.TmpfsOptions ?? {};
  for (const option of Options ?? []) {
    if (option.length < 1 || option.length > 2) throw fail('invalid option array length');
    if (option[0] !== 'exec' && option[0] !== 'noexec') throw fail(`invalid option: ${option[0]}`);
  }
  const options = [
    ...(SizeBytes ? [`size=${SizeBytes}`] : []),
    ...(Mode ? [`mode=${Mode.toString(8)}`] : []),
    ...(Options ?? []).map((option) => option.join('=')),
  ];
  return { ...tmpfs(request.Target, options), RW: !request.ReadOnly };
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
