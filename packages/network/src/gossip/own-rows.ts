import { clientAffinity, type TaskObject } from '@skep/wire';
import { PortConfig_Protocol, PortConfig_PublishMode } from '@skep/wire/swarmkit';
import type { AttachedNetwork, AttachedSandbox } from '../sandbox/contract.js';
import { bareAddress } from '../sandbox/plan.js';
import type {
  EndpointPort,
  NetworkEndpoint,
  NetworkService,
  PortProtocol,
} from '../tables/contract.js';

/** A container of this node, and the task it is of, once that may take connections. */
export interface OwnContainer {
  /** The task's id, or the container's where it is of none. */
  id: string;
  sandbox: AttachedSandbox;
  task: TaskObject | undefined;
  /** Takes part in balancing and names. */
  ready: boolean;
}

const PROTOCOLS: Record<PortConfig_Protocol, PortProtocol> = {
  [PortConfig_Protocol.TCP]: 'tcp',
  [PortConfig_Protocol.UDP]: 'udp',
  [PortConfig_Protocol.SCTP]: 'sctp',
};

/** What this node has in one network. */
export function ownEndpoint(
  { id, sandbox, task, ready }: OwnContainer,
  network: AttachedNetwork,
  nodeId: string,
): NetworkEndpoint {
  const { networkId, address, aliases, ingress } = network;
  return {
    ...{ networkId, nodeId, id, aliases, ready },
    addresses: [address],
    serviceId: task?.serviceId ?? '',
    name: sandbox.name,
    slot: Number(task?.slot ?? 0),
    ports: ingress && task ? meshPorts(task) : [],
  };
}

/** Its service, as its task knows it; undefined for a container without one. */
export function ownService({ task }: OwnContainer, networkId: string): NetworkService | undefined {
  if (!task?.serviceId) return undefined;
  const virtualIp = task.endpoint?.virtualIps.find((ip) => ip.networkId === networkId)?.addr ?? '';
  const config = task.spec.networks.find(({ target }) => target === networkId);
  return {
    ...{ networkId, serviceId: task.serviceId, name: task.serviceAnnotations.name },
    aliases: config?.aliases ?? [],
    virtualIp: virtualIp === '' ? '' : bareAddress(virtualIp),
    clientAffinity: clientAffinity(task.serviceAnnotations.labels),
  };
}

function meshPorts({ endpoint }: TaskObject): EndpointPort[] {
  const ports = endpoint?.ports ?? [];
  return ports
    .filter(({ publishMode }) => publishMode === PortConfig_PublishMode.INGRESS)
    .map(({ protocol, targetPort, publishedPort }) => {
      return { protocol: PROTOCOLS[protocol], targetPort, publishedPort };
    });
}
