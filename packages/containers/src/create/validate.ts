import { Code, RpcError } from '@skep/platform';
import type { ContainerConfig, HealthConfig, HostConfig } from '../contract/config.js';
import { MEMORY_BYTES_MIN } from '../limits.js';
import { signalNumber } from '../linux/signals.js';
import { logPolicy } from '../logs/options.js';
import { containerCapabilities } from '../spec/capabilities.js';
import { isDeviceAccess, parseDeviceRule } from '../spec/devices.js';
import type { HostFacts } from '../spec/host.js';
import { checkSecurityOptions } from '../spec/security.js';

const NANOS_PER_CPU = 1e9;
const CPU_PERIOD_US_MIN = 1000;
const CPU_PERIOD_US_MAX = 1_000_000;
const PORT_MAX = 65_535;
const HEALTH_NS_MIN = 1_000_000;
const RESTART_POLICIES = ['', 'no', 'always', 'unless-stopped', 'on-failure'];

/** Refuses what Docker refuses at creation, in its order and words. */
export function validateContainer(
  config: ContainerConfig,
  hostConfig: HostConfig,
  host: HostFacts,
): void {
  validateConfig(config);
  validateHealthcheck(config.Healthcheck ?? {});
  validatePorts(hostConfig);
  validateMemory(hostConfig);
  validateCpu(hostConfig, host);
  validateRestart(hostConfig);
  validateModes(hostConfig);
  containerCapabilities({
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    privileged: hostConfig.Privileged,
    supported: host.capabilities,
  });
  validateDevices(hostConfig);
  checkSecurityOptions(hostConfig.SecurityOpt, host);
  logPolicy(hostConfig.LogConfig);
  if (hostConfig.Init && !host.initPath) {
    refuse('no init program is installed for --init (Debian package tini)');
  }
  if (hostConfig.OomScoreAdj < -1000 || hostConfig.OomScoreAdj > 1000) {
    refuse(`Invalid value ${hostConfig.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
}

function validateConfig(config: ContainerConfig): void {
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    refuse(
      `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  for (const entry of config.Env) {
    if (entry.startsWith('=')) refuse(`invalid environment variable: ${entry}`);
  }
  if (config.StopSignal) signalNumber(config.StopSignal);
}

function validateHealthcheck(check: HealthConfig): void {
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const nanos = check[name] ?? 0;
    if (nanos !== 0 && nanos < HEALTH_NS_MIN) {
      refuse(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((check.Retries ?? 0) < 0) refuse('Retries in Healthcheck cannot be negative');
}

function validatePorts({ PortBindings }: HostConfig): void {
  for (const [port, bindings] of Object.entries(PortBindings)) {
    const [number = ''] = port.split('/');
    const published = (bindings ?? []).map(({ HostPort }) => HostPort).filter(Boolean);
    for (const text of [number, ...published]) {
      if (!isPortOrRange(text)) refuse(`invalid port specification: "${text}"`);
    }
  }
}

function isPortOrRange(text: string): boolean {
  return /^\d+(?:-\d+)?$/.test(text) && text.split('-').every((part) => Number(part) <= PORT_MAX);
}

function validateMemory(hostConfig: HostConfig): void {
  const { Memory, MemoryReservation, MemorySwap, MemorySwappiness } = hostConfig;
  if (Memory !== 0 && Memory < MEMORY_BYTES_MIN) refuse('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory) {
    refuse('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (Memory === 0 && MemorySwap > 0) {
    refuse('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (MemorySwappiness !== null && (MemorySwappiness < -1 || MemorySwappiness > 100)) {
    refuse(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (MemoryReservation > 0 && MemoryReservation < MEMORY_BYTES_MIN) {
    refuse('Minimum memory reservation allowed is 6MB');
  }
  if (Memory > 0 && MemoryReservation > Memory) {
    refuse('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function validateCpu(hostConfig: HostConfig, host: HostFacts): void {
  const { NanoCpus, CpuPeriod, CpuQuota } = hostConfig;
  if (NanoCpus > 0 && (CpuPeriod > 0 || CpuQuota > 0)) {
    refuse('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (NanoCpus < 0 || NanoCpus > host.cpuCount * NANOS_PER_CPU) {
    const count = host.cpuCount;
    refuse(`range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`);
  }
  if (CpuPeriod !== 0 && (CpuPeriod < CPU_PERIOD_US_MIN || CpuPeriod > CPU_PERIOD_US_MAX)) {
    refuse('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (CpuQuota > 0 && CpuQuota < CPU_PERIOD_US_MIN) {
    refuse('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
}

function validateRestart(hostConfig: HostConfig): void {
  const { Name, MaximumRetryCount } = hostConfig.RestartPolicy;
  if (!RESTART_POLICIES.includes(Name)) {
    refuse(
      `invalid restart policy: unknown policy '${Name}'; ` +
        "use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    );
  }
  if (MaximumRetryCount < 0) {
    refuse('invalid restart policy: maximum retry count cannot be negative');
  }
  if (MaximumRetryCount > 0 && Name !== 'on-failure') {
    refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (hostConfig.AutoRemove && Name !== '' && Name !== 'no') {
    refuse("can't create 'AutoRemove' container with restart policy");
  }
}

function validateModes(hostConfig: HostConfig): void {
  const { IpcMode, PidMode, NetworkMode } = hostConfig;
  if (!/^(private|shareable|host|none|container:.+)$/.test(IpcMode)) {
    refuse(`invalid IPC mode: ${IpcMode}`);
  }
  if (!/^(host|container:.+)?$/.test(PidMode)) refuse(`invalid PID mode: ${PidMode}`);
  if (!/^(host|private)?$/.test(hostConfig.CgroupnsMode ?? '')) {
    refuse(`invalid cgroup namespace mode: ${hostConfig.CgroupnsMode}`);
  }
  if (!/^(host)?$/.test(hostConfig.UTSMode ?? '')) {
    refuse(`invalid UTS mode: ${hostConfig.UTSMode}`);
  }
  if (!/^(host)?$/.test(hostConfig.UsernsMode ?? '')) {
    refuse(`invalid user namespace mode: ${hostConfig.UsernsMode}`);
  }
  if (!/^(default)?$/i.test(hostConfig.Isolation)) {
    const given = JSON.stringify(hostConfig.Isolation);
    refuse(`Invalid isolation: ${given} - linux only supports 'default'`);
  }
  if (Object.hasOwn(hostConfig.Annotations ?? {}, '')) {
    refuse('invalid Annotations: the empty string is not permitted as an annotation key');
  }
  const networkSysctls = Object.keys(hostConfig.Sysctls ?? {}).filter((n) => n.startsWith('net.'));
  if (NetworkMode === 'host' && networkSysctls.length > 0) {
    refuse(`sysctl '${networkSysctls[0]}' can't be set in host network mode`);
  }
}

function validateDevices({ DeviceCgroupRules, Devices }: HostConfig): void {
  for (const rule of DeviceCgroupRules ?? []) parseDeviceRule(rule);
  for (const { CgroupPermissions } of Devices ?? []) {
    if (CgroupPermissions && !isDeviceAccess(CgroupPermissions)) {
      refuse(`invalid device mode: ${CgroupPermissions}`);
    }
  }
}

function refuse(message: string): never {
  throw new RpcError(Code.INVALID_ARGUMENT, message);
}
