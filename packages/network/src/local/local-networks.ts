import { Code, RpcError } from '@skep/platform';
import type { Sandbox, SandboxRegistry } from '../sandbox/registry.js';
import { matchesFilters, type NetworkFilters } from './filters.js';
import { LOCAL_NAMES, type LocalName, type LocalState } from './state.js';

/** A container on a network, in `docker network inspect`. */
export interface NetworkContainer {
  Name: string;
  EndpointID: string;
  MacAddress: string;
  /** With prefix length. */
  IPv4Address: string;
  IPv6Address: string;
}

/** A network under the JSON names of Docker's API. */
export interface NetworkResource {
  Name: string;
  Id: string;
  /** RFC 3339. */
  Created: string;
  Scope: 'local';
  Driver: 'bridge' | 'host' | 'null';
  EnableIPv4: boolean;
  EnableIPv6: boolean;
  IPAM: {
    Driver: string;
    Options: Record<string, string> | null;
    Config: { Subnet: string; Gateway: string }[] | null;
  };
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigFrom: { Network: string };
  ConfigOnly: boolean;
  Containers: Record<string, NetworkContainer>;
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

export interface LocalNetworksOptions {
  state: LocalState;
  /** Link of the default bridge, its own address, and its MTU. */
  bridge: { link: string; gateway: string; mtuBytes: number };
  registry: SandboxRegistry;
}

const DRIVERS = { bridge: 'bridge', host: 'host', none: 'null' } as const;

/** The networks every node has: bridge, host and none. */
export class LocalNetworks {
  readonly #options: LocalNetworksOptions;

  constructor(options: LocalNetworksOptions) {
    this.#options = options;
  }

  /**
   * Docker's filters: driver, id, label, name, scope, type, dangling. Rejects one it does not know.
   */
  list(filters: NetworkFilters = {}): NetworkResource[] {
    return LOCAL_NAMES.map((name) => this.#describe(name)).filter((network) =>
      matchesFilters(network, filters),
    );
  }

  /** By id, name, or unique prefix of an id. Throws NOT_FOUND, or INVALID_ARGUMENT for several. */
  inspect(nameOrId: string): NetworkResource {
    const all = this.list();
    const exact = all.find(({ Id, Name }) => Id === nameOrId || Name === nameOrId);
    if (exact) return exact;
    const found = nameOrId === '' ? [] : all.filter(({ Id }) => Id.startsWith(nameOrId));
    if (found.length > 1) {
      const matches = `(${found.length} matches found based on ID prefix)`;
      throw new RpcError(Code.INVALID_ARGUMENT, `network ${nameOrId} is ambiguous ${matches}`);
    }
    if (!found[0]) throw new RpcError(Code.NOT_FOUND, `network ${nameOrId} not found`);
    return found[0];
  }

  #describe(name: LocalName): NetworkResource {
    const { state, bridge } = this.#options;
    const { id, created } = state.networks[name];
    const isBridge = name === 'bridge';
    const config = [{ Subnet: state.subnets.bridge, Gateway: bridge.gateway }];
    return {
      Name: name,
      Id: id,
      Created: created,
      Scope: 'local',
      Driver: DRIVERS[name],
      EnableIPv4: true,
      EnableIPv6: false,
      IPAM: { Driver: 'default', Options: null, Config: isBridge ? config : null },
      Internal: false,
      Attachable: false,
      Ingress: false,
      ConfigFrom: { Network: '' },
      ConfigOnly: false,
      Containers: this.#containersOn(name),
      Options: isBridge ? this.#bridgeOptions() : {},
      Labels: {},
    };
  }

  #bridgeOptions(): Record<string, string> {
    const { link, mtuBytes } = this.#options.bridge;
    return {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': link,
      'com.docker.network.driver.mtu': String(mtuBytes),
    };
  }

  #containersOn(name: LocalName): Record<string, NetworkContainer> {
    const rows = this.#options.registry.all().flatMap((sandbox) => {
      const row = containerOn(sandbox, name);
      return row ? [[sandbox.request.containerId, row] as const] : [];
    });
    return Object.fromEntries(rows);
  }
}

/** A container as `docker network inspect` lists it; undefined when it is not on the network. */
export function containerOn(sandbox: Sandbox, network: string): NetworkContainer | undefined {
  const endpoint = sandbox.state.endpoints[network];
  if (!endpoint) return undefined;
  const { EndpointID, MacAddress, IPAddress, IPPrefixLen } = endpoint;
  return {
    Name: sandbox.request.name.replace(/^\//, ''),
    EndpointID,
    MacAddress,
    IPv4Address: IPAddress ? `${IPAddress}/${IPPrefixLen}` : '',
    IPv6Address: '',
  };
}
