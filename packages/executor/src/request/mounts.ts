import type { MountRequest } from '@skep/containers';
import { type Mount, Mount_BindOptions_Propagation, Mount_Type } from '@skep/wire/swarmkit';
import { posixMode } from './file-mode.js';

const isAbsolute = (path: string) => path.startsWith('/');

/** Refuses mounts that no node could make, in Docker's words (features.md 3.6). */
export function checkMounts(mounts: readonly Mount[]): void {
  for (const mount of mounts) {
    const { source, target, type } = mount;
    if (!isAbsolute(target) && type !== Mount_Type.NPIPE) {
      throw new Error(`invalid mount target, must be an absolute path: ${target}`);
    }
    checkSource(type, source);
  }
}

function checkSource(type: Mount_Type, source: string): void {
  if (type === Mount_Type.BIND && !isAbsolute(source)) {
    throw new Error(`invalid bind mount source, must be an absolute path: ${source}`);
  }
  if (type === Mount_Type.VOLUME && isAbsolute(source)) {
    throw new Error(`invalid volume mount source, must not be an absolute path: ${source}`);
  }
  if (type === Mount_Type.TMPFS && source !== '') {
    throw new Error('invalid tmpfs source, source must be empty');
  }
  if (type === Mount_Type.NPIPE) throw new Error('named pipes exist on Windows only');
  if (type === Mount_Type.CLUSTER) throw new Error('cluster volumes are not supported');
  if (Mount_Type[type] === undefined) throw new Error(`invalid mount type: ${type}`);
}

const TYPES = {
  [Mount_Type.BIND]: 'bind',
  [Mount_Type.VOLUME]: 'volume',
  [Mount_Type.TMPFS]: 'tmpfs',
} as const;

const PROPAGATION: Record<Mount_BindOptions_Propagation, string> = {
  [Mount_BindOptions_Propagation.RPRIVATE]: 'rprivate',
  [Mount_BindOptions_Propagation.PRIVATE]: 'private',
  [Mount_BindOptions_Propagation.RSHARED]: 'rshared',
  [Mount_BindOptions_Propagation.SHARED]: 'shared',
  [Mount_BindOptions_Propagation.RSLAVE]: 'rslave',
  [Mount_BindOptions_Propagation.SLAVE]: 'slave',
};

function bindOptions({ bindOptions: options }: Mount): MountRequest['BindOptions'] {
  return (
    options && {
      Propagation: PROPAGATION[options.propagation],
      NonRecursive: options.nonrecursive,
      CreateMountpoint: options.createmountpoint,
      ReadOnlyNonRecursive: options.readonlynonrecursive,
      ReadOnlyForceRecursive: options.readonlyforcerecursive,
    }
  );
}

function volumeOptions({ volumeOptions: options }: Mount): MountRequest['VolumeOptions'] {
  if (!options) return undefined;
  const driver = options.driverConfig;
  return {
    NoCopy: options.nocopy,
    Labels: options.labels,
    ...(driver ? { DriverConfig: { Name: driver.name, Options: driver.options } } : {}),
    ...(options.subpath === '' ? {} : { Subpath: options.subpath }),
  };
}

/** Docker's client writes `tmpfs-mode=1777` as it stands, not with Go's own bits. */
const CLIENT_SPECIAL_BITS = 0o7000;

function tmpfsOptions({ tmpfsOptions: options }: Mount): MountRequest['TmpfsOptions'] {
  if (!options) return undefined;
  return {
    SizeBytes: Number(options.sizeBytes),
    Mode: posixMode(options.mode) | (options.mode & CLIENT_SPECIAL_BITS),
    ...(options.options === '' ? {} : { Options: tmpfsFlags(options.options) }),
  };
}

/** They travel through the swarm as the text of a JSON list of lists. */
function tmpfsFlags(text: string): string[][] {
  try {
    return JSON.parse(text) as string[][];
  } catch {
    throw new Error(`invalid tmpfs options: ${text}`);
  }
}

/** A checked mount as the engine takes it. */
export function mountRequest(mount: Mount): MountRequest {
  const type = TYPES[mount.type as keyof typeof TYPES];
  const bind = type === 'bind' ? bindOptions(mount) : undefined;
  const volume = type === 'volume' ? volumeOptions(mount) : undefined;
  const tmpfs = type === 'tmpfs' ? tmpfsOptions(mount) : undefined;
  return {
    Type: type,
    Target: mount.target,
    ReadOnly: mount.readonly,
    ...(mount.source === '' ? {} : { Source: mount.source }),
    ...(bind ? { BindOptions: bind } : {}),
    ...(volume ? { VolumeOptions: volume } : {}),
    ...(tmpfs ? { TmpfsOptions: tmpfs } : {}),
  };
}
