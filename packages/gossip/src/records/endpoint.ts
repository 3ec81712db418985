import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EndpointRecordSchema, type PortConfig } from '@skep/wire/networkdb';

/** Where nodes write what balances and answers names. */
export const ENDPOINT_TABLE = 'endpoint_table';

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

export interface GossipedPort {
  protocol: PortProtocol;
  targetPort: number;
  publishedPort: number;
}

/** An endpoint as nodes tell each other of it. Addresses are without prefix length. */
export interface GossipedEndpoint {
  /** Of the container. */
  name: string;
  address: string;
  /** Empty, as all of its service, for a container that belongs to none. */
  serviceId: string;
  serviceName: string;
  /** Empty: it has none. */
  virtualIp: string;
  serviceAliases: string[];
  /** Further names of this one container. */
  aliases: string[];
  /** In the ingress network alone. */
  ports: GossipedPort[];
  /** Is out of balancing, and on its way out altogether. */
  isDisabled: boolean;
}

/** What Go writes for no address. */
const NO_ADDRESS = '<nil>';
const PROTOCOLS: readonly PortProtocol[] = ['tcp', 'udp', 'sctp'];

export function encodeEndpoint(endpoint: GossipedEndpoint): Uint8Array {
  const { name, address: endpointIp, serviceId, serviceName, virtualIp } = endpoint;
  const record = create(EndpointRecordSchema, {
    ...{ name, endpointIp, serviceId, serviceName },
    virtualIp: virtualIp === '' ? NO_ADDRESS : virtualIp,
    aliases: endpoint.serviceAliases,
    taskAliases: endpoint.aliases,
    ingressPorts: endpoint.ports.map(({ protocol, ...ports }) => {
      return { protocol: PROTOCOLS.indexOf(protocol), ...ports };
    }),
    serviceDisabled: endpoint.isDisabled,
  });
  return toBinary(EndpointRecordSchema, record);
}

/** Undefined for what is no endpoint's record, or one without a name or an address. */
export function decodeEndpoint(value: Uint8Array): GossipedEndpoint | undefined {
  try {
    const record = fromBinary(EndpointRecordSchema, value);
    const { name, endpointIp: address, serviceId, serviceName, virtualIp } = record;
    if (name === '' || isIP(address) === 0) return undefined;
    return {
      ...{ name, address, serviceId, serviceName },
      virtualIp: isIP(virtualIp) === 0 ? '' : virtualIp,
      serviceAliases: record.aliases,
      aliases: record.taskAliases,
      ports: record.ingressPorts.flatMap(decodePort),
      isDisabled: record.serviceDisabled,
    };
  } catch {
    return undefined;
  }
}

function decodePort({ protocol, targetPort, publishedPort }: PortConfig): GossipedPort[] {
  const name = PROTOCOLS[protocol];
  const isPort = (port: number) => port > 0 && port < 2 ** 16;
  if (!name || !isPort(targetPort) || !isPort(publishedPort)) return [];
  return [{ protocol: name, targetPort, publishedPort }];
}

/**
 * Key of a task's entries in a network, 64 hexadecimal digits as all endpoints' are: the same after a
 * restart of the daemon, as the task is the same.
 */
export function endpointKey(networkId: string, taskId: string): string {
  return createHash('sha256').update(`${networkId}/${taskId}`).digest('hex');
}
