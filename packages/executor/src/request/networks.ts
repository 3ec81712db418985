import type { TaskEndpoint } from '@skep/containers';
import type { TaskObject } from '@skep/wire';
import type { Network, NetworkAttachment } from '@skep/wire/swarmkit';

const PREDEFINED_LABEL = 'com.docker.swarm.predefined';

/** `host`, `bridge` or `none`: networks of the node itself, that a service may name. */
function isPredefined(network: Network): boolean {
  return network.spec?.annotations?.labels[PREDEFINED_LABEL] === 'true';
}

/** The first IPv4 address with prefix length. */
export function ipv4Address(addresses: readonly string[]): string | undefined {
  return addresses.find((address) => /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(address));
}

function endpoint(attachment: NetworkAttachment): TaskEndpoint[] {
  const { addresses, aliases, network } = attachment;
  const address = ipv4Address(addresses);
  if (!network || !address || isPredefined(network)) return [];
  const ipam = network.ipam?.configs.find((config) => config.subnet.includes('.'));
  return [
    {
      networkId: network.id,
      networkName: network.spec?.annotations?.name ?? '',
      address,
      subnet: ipam?.subnet ?? '',
      gateway: ipam?.gateway ?? '',
      ingress: network.spec?.ingress ?? false,
      internal: network.spec?.internal ?? false,
      aliases,
    },
  ];
}

/** The swarm networks of a task, with the addresses the allocator gave it. */
export function taskEndpoints(task: TaskObject): TaskEndpoint[] {
  return task.networks.flatMap(endpoint);
}

/** The predefined network a task runs in instead; undefined for the default. */
export function predefinedNetwork(task: TaskObject): string | undefined {
  const network = task.networks[0]?.network;
  return network && isPredefined(network) ? network.spec?.annotations?.name : undefined;
}

/** Ids of the networks in which this node needs an address of its own before the task can run. */
export function overlayNetworkIds(task: TaskObject): string[] {
  return task.networks.flatMap(({ network }) =>
    network && network.driverState?.name === 'overlay' ? [network.id] : [],
  );
}
