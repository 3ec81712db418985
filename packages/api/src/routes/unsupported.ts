import { HttpError } from '../server/errors.js';

/** Fields of HostConfig this engine does nothing with, and the flag people know them by. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  BlkioWeight: '--blkio-weight',
  BlkioWeightDevice: '--blkio-weight-device',
  BlkioDeviceReadBps: '--device-read-bps',
  BlkioDeviceReadIOps: '--device-read-iops',
  BlkioDeviceWriteBps: '--device-write-bps',
  BlkioDeviceWriteIOps: '--device-write-iops',
  CgroupParent: '--cgroup-parent',
  CpuRealtimePeriod: '--cpu-rt-period',
  CpuRealtimeRuntime: '--cpu-rt-runtime',
  DeviceRequests: '--gpus',
  Links: '--link',
  StorageOpt: '--storage-opt',
  UTSMode: '--uts',
};

const RUNTIMES = ['', 'runc', 'io.containerd.runc.v2'];

/**
 * Refuses what would otherwise be taken and left undone: who asks for a device and gets a container without
 * it looks for the mistake everywhere else.
 */
export function refuseUnsupported(hostConfig: Readonly<Record<string, unknown>>): void {
  for (const [field, flag] of Object.entries(UNSUPPORTED)) {
    if (isSet(hostConfig[field])) {
      throw new HttpError(501, `${flag} is not supported by this engine`);
    }
  }
  const runtime = String(hostConfig['Runtime'] ?? '');
  if (!RUNTIMES.includes(runtime)) {
    throw new HttpError(400, `unknown or invalid runtime name: ${runtime}`);
  }
}

/** Clients send what nobody asked for as null, zero, or empty. */
function isSet(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
