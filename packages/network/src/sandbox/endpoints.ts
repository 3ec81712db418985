import type { EndpointState, SandboxRequest, TaskEndpoint } from '@skep/containers';
import { newContainerId, type Random } from '@skep/platform';
import { parseInterfaceAddress } from '../address/ipv4.js';
import type { LocalState } from '../local/state.js';
import { localAttachment } from './attachment.js';
import { bareAddress, macOfAddress } from './plan.js';

/** Docker shows as many digits of an id to people. */
const SHORT_ID_DIGITS = 12;

function emptyEndpoint(networkId: string, endpointId: string): EndpointState {
  return {
    NetworkID: networkId,
    EndpointID: endpointId,
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    MacAddress: '',
    Aliases: null,
    DNSNames: null,
    IPAMConfig: null,
    Links: null,
    DriverOpts: null,
  };
}

function addressed(endpoint: EndpointState, address: string, gateway: string): EndpointState {
  return {
    ...endpoint,
    Gateway: gateway,
    IPAddress: bareAddress(address),
    IPPrefixLen: parseInterfaceAddress(address)?.subnet.prefixLength ?? 0,
    MacAddress: macOfAddress(address),
  };
}

/** A container on a swarm network, in `NetworkSettings.Networks`. */
export function describeEndpoint(
  request: SandboxRequest,
  endpoint: TaskEndpoint,
  random: Random,
): EndpointState {
  const { networkId, address, aliases } = endpoint;
  const own = ownNames(request);
  // Those it has anyhow are among a plain container's, and are not shown as such.
  const asked = aliases.filter((alias) => !own.includes(alias));
  return {
    ...addressed(emptyEndpoint(networkId, newContainerId(random)), address, ''),
    IPAMConfig: { IPv4Address: bareAddress(address) },
    Aliases: asked.length > 0 ? asked : null,
    DNSNames: namesOf(request, endpoint),
  };
}

/** What a container is called on a swarm network, its own name first; each name once. */
export function namesOf(request: SandboxRequest, { aliases }: TaskEndpoint): string[] {
  const name = request.name.replace(/^\//, '');
  return [...new Set([name, ...aliases, ...ownNames(request)])].filter(Boolean);
}

/** Names that a container has on every network. */
function ownNames({ containerId, names }: SandboxRequest): string[] {
  return [containerId.slice(0, SHORT_ID_DIGITS), names.hostname];
}

/**
 * What `docker inspect` shows under `NetworkSettings.Networks`. The gateway bridge is no network
 * there.
 */
export function describeEndpoints(
  request: SandboxRequest,
  local: { networks: LocalState['networks']; address: string; gateway: string },
  random: Random,
): Record<string, EndpointState> {
  const swarm = request.endpoints.map(
    (endpoint) => [endpoint.networkName, describeEndpoint(request, endpoint, random)] as const,
  );
  return { ...describeLocal(request, local, random), ...Object.fromEntries(swarm) };
}

function describeLocal(
  request: SandboxRequest,
  local: { networks: LocalState['networks']; address: string; gateway: string },
  random: Random,
): Record<string, EndpointState> {
  const make = (networkId: string) => emptyEndpoint(networkId, newContainerId(random));
  if (localAttachment(request) === 'bridge') {
    const endpoint = make(local.networks.bridge.id);
    return { bridge: addressed(endpoint, local.address, local.gateway) };
  }
  if (request.mode !== 'host' && request.mode !== 'none') return {};
  return { [request.mode]: make(local.networks[request.mode].id) };
}
