import { create } from '@bufbuild/protobuf';
import { expandTemplate } from '@skep/platform';
import type { ReadView } from '@skep/store';
import {
  clientAffinity,
  dataPathOf,
  hasOwnAgent,
  type NetworkObject,
  type NodeObject,
  overlaySettings,
  type ServiceObject,
  type TaskObject,
  taskName,
  templateData,
} from '@skep/wire';
import {
  type EndpointPort,
  EndpointPort_Protocol,
  EndpointPortSchema,
  type NetworkEndpoint,
  NetworkEndpointSchema,
  type NetworkNode,
  NetworkNodeSchema,
  type NetworkService,
  NetworkServiceSchema,
  type OverlayNetwork,
  OverlayNetworkSchema,
} from '@skep/wire/skep';
import {
  type NetworkAttachment,
  NodeStatus_State,
  type PortConfig,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  TaskState,
} from '@skep/wire/swarmkit';
import { driverOf, isAllocated, isIngress } from '../allocator/network-plan.js';
import { networksOfService } from '../allocator/networks.js';

/** Digits of a container's id by which it is known as a name. */
const SHORT_ID_DIGITS = 12;

/** Tasks about to stop, which are not to be used any more, whatever the store says of them. */
export type Withdrawn = Pick<ReadonlySet<string>, 'has'>;

/** An overlay network, for all nodes alike; undefined for one that needs none of this. */
export function networkRow(network: NetworkObject): OverlayNetwork | undefined {
  if (driverOf(network) !== 'overlay' || !isAllocated(network)) return undefined;
  return create(OverlayNetworkSchema, {
    id: network.id,
    name: network.spec.annotations.name,
    ...overlaySettings(network),
    internal: network.spec.internal,
    ingress: isIngress(network),
  });
}

/** A node in a network; undefined where it has no address. */
export function nodeRow(node: NodeObject, networkId: string): NetworkNode | undefined {
  const address = attachmentTo(node.attachments, networkId)?.addresses[0];
  if (!address) return undefined;
  const { description, status } = node;
  const dataPath = dataPathOf(description);
  return create(NetworkNodeSchema, {
    networkId,
    nodeId: node.id,
    address,
    // A node that names no other is reached where its calls come from.
    tunnelAddress: dataPath?.address || status.addr,
    ownAgent: hasOwnAgent(description),
    wireguardKey: dataPath?.wireguard?.key ?? new Uint8Array(),
    wireguardPort: dataPath?.wireguard?.port ?? 0,
    down: status.state === NodeStatus_State.DOWN,
  });
}

/** A service in a network, whether or not it has tasks there now. */
export function serviceRow(
  service: ServiceObject,
  networkId: string,
  view: ReadView,
): NetworkService {
  const virtualIp = service.endpoint?.virtualIps.find((one) => one.networkId === networkId);
  const targets = networksOfService(service).filter(({ target }) => {
    return target === networkId || view.named('network', target)?.id === networkId;
  });
  const { annotations } = service.spec;
  return create(NetworkServiceSchema, {
    networkId,
    serviceId: service.id,
    name: annotations.name,
    aliases: [...new Set(targets.flatMap(({ aliases }) => aliases))],
    virtualIp: withoutPrefix(virtualIp?.addr ?? ''),
    clientAffinity: clientAffinity(annotations.labels),
  });
}

/** Networks that a service is in by itself; others, as long as it has tasks there. */
export function networkIdsOfService(service: ServiceObject, view: ReadView): string[] {
  const targets = networksOfService(service).map(
    ({ target }) => (view.get('network', target) ?? view.named('network', target))?.id,
  );
  const virtualIps = service.endpoint?.virtualIps.map(({ networkId }) => networkId) ?? [];
  return [...new Set([...virtualIps, ...targets])].filter((id) => id !== undefined);
}

/** A task in a network, from when a node has it until it ends; undefined before and after. */
export function endpointRow(
  task: TaskObject,
  networkId: string,
  view: ReadView,
  withdrawn: Withdrawn,
): NetworkEndpoint | undefined {
  const attachment = attachmentTo(task.networks, networkId);
  const { nodeId, status } = task;
  const isLive = status.state >= TaskState.ASSIGNED && status.state <= TaskState.RUNNING;
  if (!attachment || attachment.addresses.length === 0 || !isLive || !nodeId) return undefined;
  const node = view.get('node', nodeId);
  return create(NetworkEndpointSchema, {
    networkId,
    id: task.id,
    nodeId,
    addresses: attachment.addresses.toSorted((a, b) => Number(isIpv6(a)) - Number(isIpv6(b))),
    serviceId: task.serviceId,
    ...namesOf(task, attachment, node),
    slot: task.slot,
    ready: isReady(task, node) && !withdrawn.has(task.id),
    ports: attachment.network?.spec?.ingress ? meshPorts(task) : [],
  });
}

/** A job's tasks are to complete, and can be asked until they do. */
function isReady({ desiredState, status }: TaskObject, node: NodeObject | undefined): boolean {
  if (!node || node.status.state === NodeStatus_State.DOWN) return false;
  return status.state === TaskState.RUNNING && desiredState <= TaskState.COMPLETE;
}

/** A container that somebody attached says its names itself, the first being its own. */
function namesOf(task: TaskObject, { aliases }: NetworkAttachment, node: NodeObject | undefined) {
  const { runtime } = task.spec;
  if (runtime.case === 'attachment') {
    const [name = runtime.value.containerId.slice(0, SHORT_ID_DIGITS), ...others] = aliases;
    return { name, aliases: others };
  }
  return { name: taskName(task), aliases: [...shortIdOf(task), ...hostnameOf(task, node)] };
}

function shortIdOf({ status }: TaskObject): string[] {
  const { runtimeStatus } = status;
  if (runtimeStatus.case !== 'container') return [];
  return [runtimeStatus.value.containerId.slice(0, SHORT_ID_DIGITS)].filter((id) => id !== '');
}

/** What the spec's template comes to on this node. */
function hostnameOf(task: TaskObject, node: NodeObject | undefined): string[] {
  const { runtime } = task.spec;
  const hostname = runtime.case === 'container' ? runtime.value.hostname : '';
  if (hostname === '' || !hostname.includes('{{')) return hostname === '' ? [] : [hostname];
  if (!node?.description) return [];
  try {
    return [expandTemplate(hostname, { data: templateData(task, node.description) })];
  } catch {
    return []; // then the task cannot run, and says why
  }
}

function meshPorts({ endpoint }: TaskObject): EndpointPort[] {
  const ports = endpoint?.ports ?? [];
  return ports
    .filter(({ publishMode }) => publishMode === PortConfig_PublishMode.INGRESS)
    .map(({ protocol, publishedPort, targetPort }) =>
      create(EndpointPortSchema, { protocol: PROTOCOLS[protocol], publishedPort, targetPort }),
    );
}

const PROTOCOLS: Record<PortConfig['protocol'], EndpointPort_Protocol> = {
  [PortConfig_Protocol.TCP]: EndpointPort_Protocol.TCP,
  [PortConfig_Protocol.UDP]: EndpointPort_Protocol.UDP,
  [PortConfig_Protocol.SCTP]: EndpointPort_Protocol.SCTP,
};

function attachmentTo(
  attachments: readonly NetworkAttachment[],
  networkId: string,
): NetworkAttachment | undefined {
  return attachments.find(({ network }) => network?.id === networkId);
}

/** Networks in which something has an address. */
export function networkIdsOf(attachments: readonly NetworkAttachment[]): string[] {
  return attachments.flatMap(({ addresses, network }) =>
    network && addresses.length > 0 ? [network.id] : [],
  );
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

function withoutPrefix(address: string): string {
  return address.split('/', 1)[0] ?? '';
}
