import { Code, RpcError } from '@skep/platform';
import type { PortMap } from '../contract/config.js';
import type { SandboxRequest, SandboxState } from '../contract/networking.js';
import type { Container } from '../engine/container.js';
import type { EngineContext } from '../engine/context.js';
import type { ContainerRecord } from '../records/record.js';

const SHARED_PREFIX = 'container:';
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

/** What the network room is asked for at a start. */
export function sandboxRequest(record: ContainerRecord): SandboxRequest {
  const { hostConfig } = record;
  const endpoints = record.task?.endpoints ?? [];
  const mode = endpoints.length > 0 ? 'task' : plainMode(hostConfig.NetworkMode);
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
  };
}

function plainMode(mode: string): 'bridge' | 'host' | 'none' {
  if (mode === 'host' || mode === 'none') return mode;
  if (mode === 'bridge' || mode === 'default' || mode === '') return 'bridge';
  // Not NOT_FOUND: to `docker run`, a 404 at creation says that the image is missing, and it pulls.
  throw new RpcError(Code.INVALID_ARGUMENT, `network ${mode} not found`);
}

/** Refuses a network that does not exist before anything is made. */
export function checkNetworkMode(mode: string, hasEndpoints: boolean): void {
  if (!hasEndpoints && !mode.startsWith(SHARED_PREFIX)) plainMode(mode);
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
