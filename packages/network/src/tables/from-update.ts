import {
  EndpointPort_Protocol,
  Gone_Kind,
  type NetworksUpdate,
  type NetworkEndpoint as WireEndpoint,
} from '@skep/wire/skep';
import type { NetworkEndpoint, PortProtocol, TableChange, TableUpdate } from './contract.js';

const PROTOCOLS: Record<EndpointPort_Protocol, PortProtocol> = {
  [EndpointPort_Protocol.TCP]: 'tcp',
  [EndpointPort_Protocol.UDP]: 'udp',
  [EndpointPort_Protocol.SCTP]: 'sctp',
};

const TABLES: Record<Gone_Kind, TableChange['table']> = {
  [Gone_Kind.NETWORK]: 'network',
  [Gone_Kind.NODE]: 'node',
  [Gone_Kind.SERVICE]: 'service',
  [Gone_Kind.ENDPOINT]: 'endpoint',
};

/** What a manager tells of this node's networks, for its tables. */
export function fromUpdate(update: NetworksUpdate): TableUpdate {
  return {
    version: update.version,
    complete: update.complete,
    networks: update.networks.map(({ $typeName, $unknown, subnets, ...network }) => ({
      ...network,
      subnets: subnets.map(({ gateway, subnet, vni }) => ({ subnet, gateway, vni })),
    })),
    nodes: update.nodes.map(({ $typeName, $unknown, ...node }) => node),
    services: update.services.map(({ $typeName, $unknown, ...service }) => service),
    endpoints: update.endpoints.map(endpointOf),
    gone: update.gone.map(({ id, kind, networkId }) => ({ table: TABLES[kind], networkId, id })),
  };
}

function endpointOf({ $typeName, $unknown, ...endpoint }: WireEndpoint): NetworkEndpoint {
  return {
    ...endpoint,
    slot: Number(endpoint.slot),
    ports: endpoint.ports.map(({ protocol, publishedPort, targetPort }) => ({
      protocol: PROTOCOLS[protocol],
      targetPort,
      publishedPort,
    })),
  };
}
