import type { EndpointState, SandboxRequest } from '@skep/containers';
import { newContainerId, type Random } from '@skep/platform';
import { parseInterfaceAddress } from '../address/ipv4.js';
import type { LocalState } from '../local/state.js';
import { attachmentOf } from './interfaces.js';
import { bareAddress, macOfAddress } from './plan.js';

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

/**
 * What `docker inspect` shows under `NetworkSettings.Networks`. The gateway bridge is no network
 * there.
 */
export function describeEndpoints(
  request: SandboxRequest,
  local: { networks: LocalState['networks']; address: string; gateway: string },
  random: Random,
): Record<string, EndpointState> {
  const attachment = attachmentOf(request);
  const make = (networkId: string) => emptyEndpoint(networkId, newContainerId(random));
  if (attachment === 'bridge') {
    const endpoint = make(local.networks.bridge.id);
    return { bridge: addressed(endpoint, local.address, local.gateway) };
  }
  if (attachment === 'none') {
    const name = request.mode === 'host' ? 'host' : 'none';
    return { [name]: make(local.networks[name].id) };
  }
  return Object.fromEntries(
    request.endpoints.map((endpoint) => {
      const ipam = { IPv4Address: bareAddress(endpoint.address) };
      const state = addressed(make(endpoint.networkId), endpoint.address, '');
      const aliases = endpoint.aliases.length > 0 ? endpoint.aliases : null;
      return [endpoint.networkName, { ...state, IPAMConfig: ipam, Aliases: aliases }];
    }),
  );
}
