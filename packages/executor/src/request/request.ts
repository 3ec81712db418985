import type { CreateRequest, HealthConfig, HostConfig } from '@skep/containers';
import { durationNanos, type TaskObject } from '@skep/wire';
import {
  type ContainerSpec,
  ContainerSpec_Isolation,
  type HealthConfig as SpecHealth,
} from '@skep/wire/swarmkit';
import { taggedImage } from '../image/reference.js';
import { hostAccess } from './host-access.js';
import { mountRequest } from './mounts.js';
import { containerLabels } from './names.js';
import { predefinedNetwork } from './networks.js';
import { hostPortBindings } from './ports.js';
import { genericResourceEnvironment, resourceLimits } from './resources.js';
import { securityOptions } from './security.js';

function healthConfig(health: SpecHealth): HealthConfig {
  return {
    Test: health.test,
    Interval: durationNanos(health.interval),
    Timeout: durationNanos(health.timeout),
    StartPeriod: durationNanos(health.startPeriod),
    StartInterval: durationNanos(health.startInterval),
    Retries: health.retries,
  };
}

/** SwarmKit writes lines of /etc/hosts, `IP name alias…`; the engine takes `name:IP`. */
function extraHosts(hosts: readonly string[]): string[] {
  return hosts.flatMap((line) => {
    const [address, ...names] = line.trim().split(/\s+/);
    // IPv6 may stand in brackets, as in the client's `--host name:[::1]`.
    const bare = address?.replace(/^\[(.*)\]$/, '$1');
    return names.map((name) => `${name}:${bare}`);
  });
}

/** A command replaces the image's entrypoint and its arguments; arguments alone only those. */
function command({ args, command: entrypoint }: ContainerSpec): Partial<CreateRequest> {
  return {
    ...(entrypoint.length > 0 ? { Entrypoint: entrypoint } : {}),
    ...(args.length > 0 ? { Cmd: args } : {}),
  };
}

function isolation(spec: ContainerSpec): string {
  return spec.isolation === ContainerSpec_Isolation.DEFAULT
    ? ''
    : ContainerSpec_Isolation[spec.isolation].toLowerCase();
}

function optionalHostConfig(task: TaskObject, spec: ContainerSpec): Partial<HostConfig> {
  const security = securityOptions(spec);
  const hosts = extraHosts(spec.hosts);
  const networkMode = predefinedNetwork(task);
  const logDriver = task.logDriver ?? task.spec.logDriver;
  return {
    ...(spec.init === undefined ? {} : { Init: spec.init }),
    ...(spec.groups.length > 0 ? { GroupAdd: spec.groups } : {}),
    ...(spec.capabilityAdd.length > 0 ? { CapAdd: spec.capabilityAdd } : {}),
    ...(spec.capabilityDrop.length > 0 ? { CapDrop: spec.capabilityDrop } : {}),
    ...(Object.keys(spec.sysctls).length > 0 ? { Sysctls: spec.sysctls } : {}),
    ...(security.length > 0 ? { SecurityOpt: security } : {}),
    ...(hosts.length > 0 ? { ExtraHosts: hosts } : {}),
    ...(networkMode ? { NetworkMode: networkMode } : {}),
    ...(logDriver ? { LogConfig: { Type: logDriver.name, Config: logDriver.options } } : {}),
  };
}

function hostConfig(task: TaskObject, spec: ContainerSpec): Partial<HostConfig> {
  return {
    ...resourceLimits(task, spec),
    ...optionalHostConfig(task, spec),
    ...hostAccess(task),
    // The orchestrator makes a new task instead: the engine must not restart one behind its back.
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    PortBindings: hostPortBindings(task),
    Mounts: spec.mounts.map(mountRequest),
    ReadonlyRootfs: spec.readOnly,
    OomScoreAdj: Number(spec.oomScoreAdj),
    Isolation: isolation(spec),
    Dns: spec.dnsConfig?.nameservers ?? [],
    DnsSearch: spec.dnsConfig?.search ?? [],
    DnsOptions: spec.dnsConfig?.options ?? [],
  };
}

/** The request that makes the container of a task. `spec` has its templates worked out. */
export function createRequest(task: TaskObject, spec: ContainerSpec): CreateRequest {
  const ports = hostPortBindings(task);
  return {
    ...command(spec),
    Image: taggedImage(spec.image),
    Labels: containerLabels(task, spec.labels),
    Env: [...spec.env, ...genericResourceEnvironment(task.assignedGenericResources)],
    WorkingDir: spec.dir,
    User: spec.user,
    Hostname: spec.hostname,
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
    ...(spec.stopSignal === '' ? {} : { StopSignal: spec.stopSignal }),
    ...(spec.healthcheck ? { Healthcheck: healthConfig(spec.healthcheck) } : {}),
    HostConfig: hostConfig(task, spec),
  };
}
