import type { HostConfig } from '../contract/config.js';
import { deviceRule, type GivenDevice, parseDeviceRule } from './devices.js';
import type { HostFacts } from './host.js';
import type { OciDeviceRule, OciResources } from './oci.js';

/** Docker's period for `--cpus`, microseconds. */
const CPU_PERIOD_US = 100_000;
const NANOS_PER_CPU = 1e9;

/** Devices every container may use, as Docker lists them; all others may only be made (mknod). */
const DEVICE_RULES: OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 2],
    [136, -1],
  ].map(([major, minor]): OciDeviceRule => {
    const rule = { allow: true, type: 'c', major: major as number, access: 'rwm' };
    return minor === -1 ? rule : { ...rule, minor: minor as number };
  }),
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
];

/** cgroup limits of a container, and what it may do with which devices. */
export function containerResources(
  hostConfig: HostConfig,
  host: HostFacts,
  devices: readonly GivenDevice[],
): OciResources {
  const memory = memoryResources(hostConfig, host);
  const cpu = cpuResources(hostConfig);
  const pids = hostConfig.PidsLimit;
  return {
    devices: deviceRules(hostConfig, devices),
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    ...(pids === null || pids === 0 ? {} : { pids: { limit: Math.max(pids, -1) } }),
  };
}

function deviceRules(
  { DeviceCgroupRules, Privileged }: HostConfig,
  devices: readonly GivenDevice[],
): OciDeviceRule[] {
  if (Privileged) return [{ allow: true, access: 'rwm' }];
  return [
    ...DEVICE_RULES,
    ...devices.map(deviceRule),
    ...(DeviceCgroupRules ?? []).map(parseDeviceRule),
  ];
}

function memoryResources(hostConfig: HostConfig, host: HostFacts): OciResources['memory'] {
  const memory: NonNullable<OciResources['memory']> = {};
  if (hostConfig.Memory > 0) memory.limit = hostConfig.Memory;
  if (hostConfig.MemoryReservation > 0) memory.reservation = hostConfig.MemoryReservation;
  if (hostConfig.MemorySwap !== 0) memory.swap = hostConfig.MemorySwap;
  // cgroup v2 has neither swappiness nor a switch for the OOM killer.
  if (host.cgroupMode !== 'v2') {
    const swappiness = hostConfig.MemorySwappiness;
    if (swappiness !== null && swappiness >= 0) memory.swappiness = swappiness;
    if (hostConfig.OomKillDisable) memory.disableOOMKiller = true;
  }
  return Object.keys(memory).length > 0 ? memory : undefined;
}

function cpuResources(hostConfig: HostConfig): OciResources['cpu'] {
  const cpu: NonNullable<OciResources['cpu']> = {};
  if (hostConfig.CpuShares > 0) cpu.shares = hostConfig.CpuShares;
  if (hostConfig.NanoCpus > 0) {
    cpu.period = CPU_PERIOD_US;
    cpu.quota = Math.round((hostConfig.NanoCpus / NANOS_PER_CPU) * CPU_PERIOD_US);
  }
  if (hostConfig.CpuPeriod > 0) cpu.period = hostConfig.CpuPeriod;
  if (hostConfig.CpuQuota !== 0) cpu.quota = hostConfig.CpuQuota;
  if (hostConfig.CpusetCpus !== '') cpu.cpus = hostConfig.CpusetCpus;
  if (hostConfig.CpusetMems !== '') cpu.mems = hostConfig.CpusetMems;
  return Object.keys(cpu).length > 0 ? cpu : undefined;
}
