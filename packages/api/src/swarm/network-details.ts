import type { ContainerEngine, ContainerSummary } from '@skep/containers';
import type { Network } from '@skep/wire/swarmkit';
import type { Json } from './convert/json.js';

/** What a node's tables say of one network: as much of them as `inspect` shows. */
export interface NetworkTables {
  nodes(networkId: string): readonly { nodeId: string; tunnelAddress: string }[];
  services(networkId: string): readonly {
    serviceId: string;
    name: string;
    virtualIp: string;
  }[];
  endpoints(networkId: string): readonly {
    id: string;
    nodeId: string;
    serviceId: string;
    name: string;
    addresses: readonly string[];
    ready: boolean;
    ports: readonly { targetPort: number; publishedPort: number }[];
  }[];
}

/** What this node itself knows of the swarm's networks that it takes part in. */
export interface NodeNetworks {
  /** As the manager described them. */
  attached(): readonly Network[];
  readonly tables: NetworkTables;
  /** In what the kernel differed from the tables when they were last compared, in sentences. */
  differences(networkId: string): readonly string[];
}

/** How Go prints an address that is none. */
const NO_ADDRESS = '<nil>';

/** The members of `docker network inspect` that only a node which takes part in the network can fill. */
export async function networkDetails(
  node: NodeNetworks,
  engine: Pick<ContainerEngine, 'list'>,
  networkId: string,
  verbose: boolean,
): Promise<Json> {
  const peers = node.tables.nodes(networkId).filter(({ tunnelAddress }) => tunnelAddress !== '');
  return {
    Containers: await containersOn(engine, networkId),
    ...(peers.length > 0
      ? { Peers: peers.map(({ nodeId, tunnelAddress }) => ({ Name: nodeId, IP: tunnelAddress })) }
      : {}),
    ...(verbose
      ? { Services: services(node.tables, networkId), Differences: node.differences(networkId) }
      : {}),
  };
}

/** This node's containers on a network, by id. */
async function containersOn(engine: Pick<ContainerEngine, 'list'>, networkId: string) {
  const containers = await engine.list({ all: false, size: false, filters: {} });
  return Object.fromEntries(
    containers.flatMap((container) => {
      const row = rowOf(container, networkId);
      return row ? [[container.Id, row]] : [];
    }),
  );
}

function rowOf({ Names, NetworkSettings }: ContainerSummary, networkId: string): Json | undefined {
  const endpoint = Object.values(NetworkSettings.Networks).find(
    ({ NetworkID }) => NetworkID === networkId,
  );
  return (
    endpoint && {
      Name: (Names[0] ?? '').replace(/^\//, ''),
      EndpointID: endpoint.EndpointID,
      MacAddress: endpoint.MacAddress,
      IPv4Address: `${endpoint.IPAddress}/${endpoint.IPPrefixLen}`,
      IPv6Address: '',
    }
  );
}

/** By name; containers that belong to no service stand under the empty one, as in Docker. */
function services(tables: NetworkTables, networkId: string): Json {
  const hosts = new Map(
    tables.nodes(networkId).map(({ nodeId, tunnelAddress }) => [nodeId, tunnelAddress]),
  );
  const endpoints = tables.endpoints(networkId);
  const describe = (serviceId: string, virtualIp: string) => {
    const own = endpoints.filter((endpoint) => endpoint.serviceId === serviceId);
    const ports = own.flatMap((endpoint) =>
      endpoint.ports.map((port) => `Target: ${port.targetPort}, Publish: ${port.publishedPort}`),
    );
    return {
      VIP: virtualIp || NO_ADDRESS,
      Ports: [...new Set(ports)],
      LocalLBIndex: 0,
      Tasks: own.map((endpoint) => ({
        Name: endpoint.name,
        EndpointID: endpoint.id,
        EndpointIP: (endpoint.addresses[0] ?? '').replace(/\/.*/, ''),
        Info: { 'Host IP': hosts.get(endpoint.nodeId) ?? '', Ready: String(endpoint.ready) },
      })),
    };
  };
  const rows = tables
    .services(networkId)
    .map(({ name, serviceId, virtualIp }) => [name, describe(serviceId, virtualIp)] as const);
  const others = endpoints.some(({ serviceId }) => serviceId === '');
  return Object.fromEntries([...(others ? [['', describe('', '')] as const] : []), ...rows]);
}
