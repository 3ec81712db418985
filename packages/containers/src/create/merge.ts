import { hostname } from 'node:os';
import { Code, RpcError } from '@skep/platform';
import type { ContainerConfig, CreateRequest, HostConfig } from '../contract/config.js';
import { mergeHealth } from '../health/config.js';
import { SHM_BYTES_DEFAULT } from '../limits.js';
import { CACHE_PREFIX } from '../logs/drivers.js';
import { mergeEnvironment } from '../spec/process.js';
import { protectedPaths } from '../spec/security.js';

/** Length of the id's prefix that is a container's host name when none is given. */
const SHORT_ID_LENGTH = 12;

/**
 * The configuration that a request and its image's defaults make together. Throws as Docker
 * refuses.
 */
export function mergeConfig(
  id: string,
  request: CreateRequest,
  image: Partial<ContainerConfig>,
): ContainerConfig {
  const { Entrypoint, Cmd } = mergeCommand(request, image);
  if (!Entrypoint?.length && !Cmd?.length) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'no command specified');
  }
  const hostMode = request.HostConfig?.NetworkMode === 'host';
  const healthcheck = mergeHealth(image.Healthcheck, request.Healthcheck);
  const stopSignal = request.StopSignal || image.StopSignal;
  return {
    Hostname: request.Hostname || (hostMode ? hostname() : id.slice(0, SHORT_ID_LENGTH)),
    Domainname: request.Domainname ?? '',
    User: request.User || image.User || '',
    AttachStdin: request.AttachStdin ?? false,
    AttachStdout: request.AttachStdout ?? false,
    AttachStderr: request.AttachStderr ?? false,
    ...exposedPorts(request, image),
    Tty: request.Tty ?? false,
    OpenStdin: request.OpenStdin ?? false,
    StdinOnce: request.StdinOnce ?? false,
    Env: mergeEnvironment(image.Env ?? [], request.Env ?? []),
    Cmd,
    ...(healthcheck ? { Healthcheck: healthcheck } : {}),
    Image: request.Image ?? '',
    Volumes: mergeMaps(image.Volumes, request.Volumes),
    WorkingDir: request.WorkingDir || image.WorkingDir || '',
    Entrypoint,
    Labels: { ...image.Labels, ...request.Labels },
    ...(stopSignal ? { StopSignal: stopSignal } : {}),
    ...(request.StopTimeout === undefined ? {} : { StopTimeout: request.StopTimeout }),
  };
}

/**
 * A request's entrypoint drops the image's command as well; a request's command alone keeps the
 * image's entrypoint. `['']` is how a client says "no entrypoint".
 */
function mergeCommand(
  request: CreateRequest,
  image: Partial<ContainerConfig>,
): Pick<ContainerConfig, 'Entrypoint' | 'Cmd'> {
  const reset = request.Entrypoint?.length === 1 && request.Entrypoint[0] === '';
  const own = reset ? [] : request.Entrypoint;
  if (own?.length || reset) {
    return { Entrypoint: reset ? null : (own ?? null), Cmd: request.Cmd ?? null };
  }
  const Cmd = request.Cmd?.length ? request.Cmd : (image.Cmd ?? null);
  return { Entrypoint: image.Entrypoint?.length ? image.Entrypoint : null, Cmd };
}

function exposedPorts(
  request: CreateRequest,
  image: Partial<ContainerConfig>,
): { ExposedPorts?: Record<string, object> } {
  const bound = Object.keys(request.HostConfig?.PortBindings ?? {});
  const ports = {
    ...mergeMaps(image.ExposedPorts, request.ExposedPorts),
    ...Object.fromEntries(bound.map((port) => [port, {}])),
  };
  return Object.keys(ports).length > 0 ? { ExposedPorts: ports } : {};
}

function mergeMaps(
  base: Record<string, object> | null | undefined,
  over: Record<string, object> | null | undefined,
): Record<string, object> | null {
  const merged = { ...base, ...over };
  return Object.keys(merged).length > 0 ? merged : null;
}

/** A host configuration with all of Docker's defaults filled in. */
export function completeHostConfig(
  request: Partial<HostConfig> | undefined,
  defaults: { logConfig: HostConfig['LogConfig'] },
): HostConfig {
  const asked: Partial<HostConfig> = dropUndefined(request ?? {});
  const base: HostConfig = {
    Binds: null,
    Mounts: [],
    NetworkMode: 'bridge',
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: false,
    LogConfig: defaults.logConfig,
    CapAdd: null,
    CapDrop: null,
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: 'private',
    PidMode: '',
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    ShmSize: SHM_BYTES_DEFAULT,
    Runtime: 'runc',
    OomScoreAdj: 0,
    OomKillDisable: null,
    Memory: 0,
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: null,
    NanoCpus: 0,
    CpuShares: 0,
    CpuPeriod: 0,
    CpuQuota: 0,
    CpusetCpus: '',
    CpusetMems: '',
    PidsLimit: null,
    Ulimits: null,
    MaskedPaths: null,
    ReadonlyPaths: null,
    VolumeDriver: '',
    VolumesFrom: null,
    Devices: null,
    DeviceCgroupRules: null,
    Isolation: '',
  };
  const merged = { ...base, ...asked };
  merged.ShmSize ||= base.ShmSize;
  merged.IpcMode ||= base.IpcMode;
  merged.Runtime ||= base.Runtime;
  if (!merged.RestartPolicy.Name) merged.RestartPolicy = base.RestartPolicy;
  merged.LogConfig = completeLogConfig(merged.LogConfig, defaults.logConfig);
  if (merged.NetworkMode === '' || merged.NetworkMode === 'default') merged.NetworkMode = 'bridge';
  if (merged.Memory > 0 && merged.MemorySwap === 0) merged.MemorySwap = merged.Memory * 2;
  const { maskedPaths, readonlyPaths } = protectedPaths(merged);
  return { ...merged, MaskedPaths: maskedPaths, ReadonlyPaths: readonlyPaths };
}

/**
 * What a container does not say of its log is as by default; another driver than the default one takes
 * nothing from it but how copies of remote logs are kept.
 */
function completeLogConfig(
  asked: Partial<HostConfig['LogConfig']>,
  fallback: HostConfig['LogConfig'],
): HostConfig['LogConfig'] {
  const Type = asked.Type || fallback.Type;
  const usual = Object.entries(fallback.Config).filter(
    ([name]) => Type === fallback.Type || name.startsWith(CACHE_PREFIX),
  );
  return { Type, Config: { ...Object.fromEntries(usual), ...asked.Config } };
}

/** JSON bodies carry `null` for lists that were not given: those too take the default. */
function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(
    Object.entries(value).filter(([, entry]) => entry !== undefined && entry !== null),
  ) as T;
}
