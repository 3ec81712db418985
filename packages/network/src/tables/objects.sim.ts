import type {
  NetworkEndpoint,
  NetworkNode,
  NetworkService,
  OverlayNetwork,
  TableUpdate,
} from './contract.js';

/** Entries of the tables for tests; all in the network `net` of two nodes unless said otherwise. */

export function networkOf(id: string, more: Partial<OverlayNetwork> = {}): OverlayNetwork {
  return {
    id,
    name: id,
    subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097 }],
    mtuBytes: 0,
    encrypted: false,
    internal: false,
    ingress: false,
    nodeAddress: '10.0.1.2/24',
    ...more,
  };
}

export function nodeOf(nodeId: string, more: Partial<NetworkNode> = {}): NetworkNode {
  const number = Number(/\d+$/.exec(nodeId)?.[0] ?? 0);
  return {
    networkId: 'net',
    nodeId,
    address: `10.0.1.${1 + number}/24`,
    tunnelAddress: `192.168.9.${number}`,
    ownAgent: true,
    wireguardKey: new Uint8Array(),
    wireguardPort: 0,
    down: false,
    ...more,
  };
}

export function serviceOf(serviceId: string, more: Partial<NetworkService> = {}): NetworkService {
  return {
    networkId: 'net',
    serviceId,
    name: serviceId,
    aliases: [],
    virtualIp: '10.0.1.100',
    clientAffinity: false,
    ...more,
  };
}

export function endpointOf(id: string, more: Partial<NetworkEndpoint> = {}): NetworkEndpoint {
  const number = Number(/\d+$/.exec(id)?.[0] ?? 0);
  return {
    networkId: 'net',
    id,
    nodeId: 'n1',
    addresses: [`10.0.1.${10 + number}/24`],
    serviceId: '',
    name: id,
    aliases: [],
    slot: number,
    ready: true,
    ports: [],
    ...more,
  };
}

export function updateOf(version: bigint, more: Partial<TableUpdate>): TableUpdate {
  return {
    version,
    complete: false,
    networks: [],
    nodes: [],
    services: [],
    endpoints: [],
    gone: [],
    ...more,
  };
}
