import { HttpError } from '../server/errors.js';

type Fields = Readonly<Record<string, unknown>>;

/** Fields of HostConfig this engine does nothing with, and the flag people know them by. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  BlkioWeight: '--blkio-weight',
  BlkioWeightDevice: '--blkio-weight-device',
  BlkioDeviceReadBps: '--device-read-bps',
  BlkioDeviceReadIOps: '--device-read-iops',
  BlkioDeviceWriteBps: '--device-write-bps',
  BlkioDeviceWriteIOps: '--device-write-iops',
  CgroupParent: '--cgroup-parent',
  CpuCount: '--cpu-count',
  CpuPercent: '--cpu-percent',
  CpuRealtimePeriod: '--cpu-rt-period',
  CpuRealtimeRuntime: '--cpu-rt-runtime',
  DeviceRequests: '--gpus',
  IOMaximumBandwidth: '--io-maxbandwidth',
  IOMaximumIOps: '--io-maxiops',
  KernelMemory: '--kernel-memory',
  KernelMemoryTCP: 'KernelMemoryTCP',
  Links: '--link',
  StorageOpt: '--storage-opt',
};

const RUNTIMES = ['', 'runc', 'io.containerd.runc.v2'];

/**
 * Refuses what would otherwise be taken and left undone: who asks for a device and gets a container without
 * it looks for the mistake everywhere else.
 */
export function refuseUnsupported(hostConfig: Fields): void {
  for (const [field, flag] of Object.entries(UNSUPPORTED)) refuseSet(hostConfig, field, flag);
  const runtime = String(hostConfig['Runtime'] ?? '');
  if (!RUNTIMES.includes(runtime)) {
    throw new HttpError(400, `unknown or invalid runtime name: ${runtime}`);
  }
}

/** The same for what stands beside HostConfig: the container itself, and its place in networks. */
export function refuseUnsupportedConfig(body: Fields): void {
  if (body['NetworkDisabled']) {
    throw new HttpError(501, 'NetworkDisabled is not supported by this engine: use --network none');
  }
  const { EndpointsConfig } = (body['NetworkingConfig'] ?? {}) as { EndpointsConfig?: Fields };
  refuseSet(body, 'MacAddress', '--mac-address');
  for (const endpoint of Object.values(EndpointsConfig ?? {})) refuseEndpoint(endpoint);
}

/** What a place in a network can ask for in vain. */
export function refuseEndpoint(endpoint: unknown): void {
  const fields = (endpoint ?? {}) as Fields;
  refuseSet(fields, 'MacAddress', '--mac-address');
  refuseSet(fields, 'Links', '--link');
  refuseSet(fields, 'DriverOpts', 'driver-opt of --network');
  refuseSet(fields, 'GwPriority', 'gw-priority of --network');
  refuseSet((fields['IPAMConfig'] ?? {}) as Fields, 'LinkLocalIPs', '--link-local-ip');
}

function refuseSet(fields: Fields, name: string, flag: string): void {
  if (isSet(fields[name])) throw new HttpError(501, `${flag} is not supported by this engine`);
}

/** Clients send what nobody asked for as null, zero, or empty. */
function isSet(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
