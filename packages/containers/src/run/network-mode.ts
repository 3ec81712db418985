import { isIP } from 'node:net';
import { Code, RpcError } from '@skep/platform';
import type { EndpointConfig, PortMap, TaskEndpoint } from '../contract/config.js';
import type { SandboxRequest, SandboxState } from '../contract/networking.js';
import type { Container } from '../engine/container.js';
import type { EngineContext } from '../engine/context.js';
import type { ContainerRecord } from '../records/record.js';

const SHARED_PREFIX = 'container:';
const OWN_NETWORKS: readonly string[] = ['', 'default', 'bridge', 'host', 'none'];
/** Any user of a container may bind port 80 and send pings, as in Docker since 20.10. */
const DEFAULT_SYSCTLS = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/** The container whose network this one shares, by `NetworkMode: container:<name or id>`. */
export function sharedNetwork(
  context: EngineContext,
  record: ContainerRecord,
): Container | undefined {
  const mode = record.hostConfig.NetworkMode;
  if (!mode.startsWith(SHARED_PREFIX)) return undefined;
  return joinable(context, mode.slice(SHARED_PREFIX.length), 'network');
}

/** A running container whose namespace can be joined. */
export function joinable(context: EngineContext, reference: string, what: string): Container {
  const other = context.containers.find(reference);
  if (other.running) return other;
  throw new RpcError(
    Code.ALREADY_EXISTS,
    `cannot join ${what} namespace of a non running container: ${other.id}`,
  );
}

/** What the network room is asked for at a start. `endpoints`: in the swarm's networks. */
export function sandboxRequest(record: ContainerRecord, endpoints: TaskEndpoint[]): SandboxRequest {
  const { hostConfig } = record;
  const mode = modeOf(record, endpoints);
  const asked = Object.entries(hostConfig.Sysctls ?? {}).filter(([name]) =>
    name.startsWith('net.'),
  );
  const defaults = mode === 'host' || hostConfig.Privileged ? {} : DEFAULT_SYSCTLS;
  return {
    containerId: record.id,
    name: record.name,
    mode,
    endpoints,
    ports: wantedPorts(record),
    sysctls: { ...defaults, ...Object.fromEntries(asked) },
    names: {
      hostname: record.config.Hostname,
      servers: hostConfig.Dns,
      search: hostConfig.DnsSearch,
      options: hostConfig.DnsOptions,
    },
  };
}

function modeOf(
  record: ContainerRecord,
  endpoints: readonly TaskEndpoint[],
): SandboxRequest['mode'] {
  if (record.task && endpoints.length > 0) return 'task';
  const { NetworkMode } = record.hostConfig;
  if (NetworkMode === 'host' || NetworkMode === 'none') return NetworkMode;
  // A client may name the node's own network beside others.
  if (isOwnNetwork(NetworkMode) || record.endpointsConfig['bridge']) return 'bridge';
  // Taken off every network it was made for, it has none.
  return endpoints.length > 0 ? 'task' : 'none';
}

/** Whether a network is one that every node has for itself. */
export function isOwnNetwork(name: string): boolean {
  return OWN_NETWORKS.includes(name);
}

/** The swarm networks of a plain container as it names them, that of its network mode first. */
export function userNetworks({ hostConfig, endpointsConfig, task }: ContainerRecord): string[] {
  const { NetworkMode } = hostConfig;
  if (task || !canHaveOthers(NetworkMode)) return [];
  const names = Object.keys(endpointsConfig).filter((name) => !isOwnNetwork(name));
  return names.sort((a, b) => Number(b === NetworkMode) - Number(a === NetworkMode) || order(a, b));
}

function order(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function canHaveOthers(mode: string): boolean {
  return !mode.startsWith(SHARED_PREFIX) && mode !== 'host' && mode !== 'none';
}

/**
 * Has a plain container's record say which networks it is to be on, and refuses what cannot be before
 * anything is made. Whether a network of the swarm is there only a manager knows, at the start.
 */
export function settleNetworks(record: ContainerRecord, isInSwarm: boolean): void {
  const { NetworkMode } = record.hostConfig;
  const given = Object.entries(record.endpointsConfig);
  record.endpointsConfig = Object.fromEntries(given.map(([name, config]) => [name, config ?? {}]));
  if (canHaveOthers(NetworkMode) && !isOwnNetwork(NetworkMode)) {
    record.endpointsConfig[NetworkMode] ??= {};
  }
  const [unknown] = isInSwarm ? [] : userNetworks(record);
  if (unknown !== undefined) {
    // Not NOT_FOUND: to `docker run`, a 404 at creation says that the image is missing, and it pulls.
    throw new RpcError(Code.INVALID_ARGUMENT, `network ${unknown} not found`);
  }
  for (const [name, config] of Object.entries(record.endpointsConfig)) checkEndpoint(name, config);
}

/** What a client may ask for on a network, in Docker's words. */
export function checkEndpoint(network: string, { Aliases, IPAMConfig }: EndpointConfig): void {
  const { IPv4Address: ipv4 = '', IPv6Address: ipv6 = '' } = IPAMConfig ?? {};
  const problems: string[] = [];
  if (isOwnNetwork(network)) {
    if (ipv4 || ipv6) {
      problems.push('user specified IP address is supported on user defined networks only');
    }
    if (Aliases?.length) {
      problems.push(
        'network-scoped alias is supported only for containers in user defined networks',
      );
    }
  } else if (ipv6) {
    problems.push(`IPv6 addresses are not given in networks of the swarm: ${ipv6}`);
  }
  if (ipv4 && isIP(ipv4) !== 4) problems.push(`invalid IPv4 address: ${ipv4}`);
  if (problems.length === 0) return;
  const text = `invalid endpoint settings:\n${problems.join('\n')}`;
  throw new RpcError(Code.INVALID_ARGUMENT, text);
}

function wantedPorts(record: ContainerRecord): PortMap {
  const { PortBindings, PublishAllPorts } = record.hostConfig;
  if (!PublishAllPorts) return PortBindings;
  const exposed = Object.keys(record.config.ExposedPorts ?? {});
  const free = exposed.map((port): [string, PortMap[string]] => [
    port,
    [{ HostIp: '', HostPort: '' }],
  ]);
  return { ...Object.fromEntries(free), ...PortBindings };
}

/** The namespace file to run in, for a sandbox of one's own or a shared one. */
export function networkNamespacePath(
  sandbox: SandboxState | undefined,
  shared: Container | undefined,
): string {
  if (!shared) return sandbox?.netnsPath ?? '';
  if (shared.status.sandbox?.state.netnsPath === '') return '';
  return `/proc/${shared.status.state.Pid}/ns/net`;
}
