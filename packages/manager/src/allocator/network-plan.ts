import { create } from '@bufbuild/protobuf';
import { type NetworkObject, VNI_OPTION } from '@skep/wire';
import {
  DriverSchema,
  type IPAMConfig,
  IPAMConfig_AddressFamily,
  IPAMConfigSchema,
  type IPAMOptions,
  IPAMOptionsSchema,
} from '@skep/wire/swarmkit';
import { type AddressRange, AddressSpace } from './address-space.js';
import { AllocationError } from './errors.js';
import { formatAddress, formatCidr, parseAddress, parseSubnet, type Subnet } from './ipv4.js';
import type { SerialPool } from './serial-pool.js';
import type { SubnetPool } from './subnet-pool.js';

/** Drivers whose networks exist on each node for itself: no identifiers, no addresses from here. */
const NODE_LOCAL_DRIVERS = new Set(['bridge', 'host', 'macvlan', 'ipvlan', 'null', 'none']);

export function driverOf(network: NetworkObject): string {
  return network.spec.driverConfig?.name || 'overlay';
}

/** Whether the nodes, not the cluster, give addresses in this network. */
export function isNodeLocal(network: NetworkObject): boolean {
  return NODE_LOCAL_DRIVERS.has(driverOf(network));
}

/** The routing mesh's network; older clusters mark it with a label. */
export function isIngress(network: NetworkObject): boolean {
  const { name, labels } = network.spec.annotations;
  return (
    network.spec.ingress ||
    (name === 'ingress' && Object.hasOwn(labels, 'com.docker.swarm.internal'))
  );
}

/** Whether a network carries its state already. */
export function isAllocated(network: NetworkObject): boolean {
  return network.driverState !== undefined && network.ipam !== undefined;
}

/** What one overlay network holds of the cluster's pools. */
export interface NetworkPlan {
  subnets: Subnet[];
  vnis: number[];
  space: AddressSpace;
}

export interface Pools {
  subnets: SubnetPool;
  vnis: SerialPool;
}

interface Wanted extends AddressRange {
  config: IPAMConfig;
}

/**
 * Takes subnets, gateways and identifiers for an overlay network; subnets that it does not name itself
 * overlap none of `avoided`. Throws without holding anything.
 */
export function planNetwork(
  network: NetworkObject,
  pools: Pools,
  avoided: readonly Subnet[],
): { plan: NetworkPlan; network: NetworkObject } {
  const held: NetworkPlan = { subnets: [], vnis: [], space: new AddressSpace('', []) };
  try {
    const { name } = network.spec.annotations;
    const wanted = ipv4Configs(network.spec.ipam).map((config) => {
      const subnet = config.subnet
        ? pools.subnets.claim(readSubnet(config.subnet, 'subnet'), name)
        : pools.subnets.take(name, avoided);
      return withSubnet(config, subnet, held);
    });
    takeIdentifiers(network, held, pools);
    held.space = new AddressSpace(name, wanted);
    const configs = wanted.map((want, at) => resolveConfig(want, at, held.space));
    return { plan: held, network: withState(network, configs, held.vnis) };
  } catch (error) {
    releaseNetwork(held, pools);
    throw error;
  }
}

/** Holds what a network's stored state says it has. Throws when that cannot be read or is held. */
export function restoreNetwork(network: NetworkObject, pools: Pools): NetworkPlan {
  const held: NetworkPlan = { subnets: [], vnis: [], space: new AddressSpace('', []) };
  try {
    const { name } = network.spec.annotations;
    const wanted = ipv4Configs(network.ipam).map((config) => {
      const subnet = pools.subnets.claim(readSubnet(config.subnet, 'subnet'), name);
      return withSubnet(config, subnet, held);
    });
    takeIdentifiers(network, held, pools);
    held.space = new AddressSpace(name, wanted);
    for (const { config } of wanted) reserve(held.space, config);
    return held;
  } catch (error) {
    releaseNetwork(held, pools);
    throw error;
  }
}

export function releaseNetwork(plan: NetworkPlan, pools: Pools): void {
  for (const subnet of plan.subnets) pools.subnets.release(subnet);
  for (const vni of plan.vnis) pools.vnis.release(vni);
}

/** Those addresses come from; an empty one for a network that names none. */
function ipv4Configs(ipam: IPAMOptions | undefined): IPAMConfig[] {
  const ipv4 = (ipam?.configs ?? []).filter((config) => !isIpv6(config));
  return ipv4.length > 0 ? ipv4 : [create(IPAMConfigSchema)];
}

/** Clients of Docker leave the family open. */
function isIpv6({ family, subnet }: IPAMConfig): boolean {
  return family === IPAMConfig_AddressFamily.IPV6 || subnet.includes(':');
}

function withSubnet(config: IPAMConfig, subnet: Subnet, held: NetworkPlan): Wanted {
  held.subnets.push(subnet);
  const range = config.range === '' ? undefined : readSubnet(config.range, 'range');
  return { config, subnet, range };
}

function takeIdentifiers(network: NetworkObject, held: NetworkPlan, pools: Pools): void {
  const options = network.driverState?.options ?? network.spec.driverConfig?.options ?? {};
  const given = (options[VNI_OPTION] ?? '').split(',').filter((item) => item !== '');
  for (const item of given) {
    const vni = Number(item);
    if (!Number.isInteger(vni)) throw new AllocationError(`invalid vxlan id value "${item}"`);
    if (!pools.vnis.claim(vni)) throw new AllocationError(`vxlan id ${vni} is in use`);
    held.vnis.push(vni);
  }
  while (held.vnis.length < held.subnets.length) {
    const vni = pools.vnis.take();
    if (vni === undefined) throw new AllocationError('no vxlan id is left');
    held.vnis.push(vni);
  }
}

/** The gateway is the first address taken: the one asked for, or the first of the range. */
function resolveConfig({ config, subnet }: Wanted, at: number, space: AddressSpace): IPAMConfig {
  const asked = parseAddress(config.gateway);
  if (config.gateway !== '' && asked === undefined) {
    throw new AllocationError(`invalid gateway ${config.gateway}`);
  }
  reserve(space, config);
  const gateway = asked ?? space.takeIn(at);
  return create(IPAMConfigSchema, {
    ...config,
    family: config.subnet === '' ? IPAMConfig_AddressFamily.IPV4 : config.family,
    subnet: formatCidr(subnet.base, subnet.bits),
    gateway: formatAddress(gateway),
  });
}

/** Holds the addresses a plan names itself: its gateway and those of other machines in the subnet. */
function reserve(space: AddressSpace, config: IPAMConfig): void {
  for (const text of [config.gateway, ...Object.values(config.reserved)]) {
    const address = parseAddress(text);
    if (address !== undefined) space.claim(address);
  }
}

function readSubnet(text: string, what: string): Subnet {
  const subnet = parseSubnet(text);
  if (!subnet) throw new AllocationError(`invalid ${what} ${text}`);
  return subnet;
}

function withState(network: NetworkObject, configs: IPAMConfig[], vnis: number[]): NetworkObject {
  const options = { ...network.spec.driverConfig?.options, [VNI_OPTION]: vnis.join(',') };
  const ipv6 = (network.spec.ipam?.configs ?? []).filter(isIpv6);
  const driver = create(DriverSchema, {
    name: network.spec.ipam?.driver?.name || 'default',
    options: network.spec.ipam?.driver?.options ?? {},
  });
  return {
    ...network,
    driverState: create(DriverSchema, { name: driverOf(network), options }),
    ipam: create(IPAMOptionsSchema, { driver, configs: [...configs, ...ipv6] }),
  };
}

/** The state of a network whose addresses each node gives itself. */
export function nodeLocalState(network: NetworkObject): NetworkObject {
  const options = network.spec.driverConfig?.options ?? {};
  return {
    ...network,
    driverState: create(DriverSchema, { name: driverOf(network), options }),
    ipam: create(IPAMOptionsSchema, { driver: create(DriverSchema) }),
  };
}
