import { invariant } from '@skep/platform';
import type { NetworkObject } from '@skep/wire';
import type { PortConfig } from '@skep/wire/swarmkit';
import { AllocationError } from './errors.js';
import { formatSubnet, parseAddress, parseCidr, parseSubnet, type Subnet } from './ipv4.js';
import { DEFAULT_POOL, DEFAULT_SUBNET_BITS, VNI_FIRST, VNI_LAST, VNI_MIN } from './limits.js';
import {
  driverOf,
  isAllocated,
  isNodeLocal,
  type NetworkPlan,
  nodeLocalState,
  type Pools,
  planNetwork,
  releaseNetwork,
  restoreNetwork,
} from './network-plan.js';
import { PortPool } from './port-pool.js';
import { SerialPool } from './serial-pool.js';
import { SubnetPool } from './subnet-pool.js';

/** Who holds an address: `task/<id>`, `service/<id>` or `node/<id>`. */
export type Owner = `${'task' | 'service' | 'node'}/${string}`;

export interface AddressPlanOptions {
  /** CIDR pools that subnets are cut from; Docker's default when empty. */
  pools: readonly string[];
  /** Prefix length of a subnet; 0 for Docker's default, 24. */
  subnetBits: number;
  /** UDP port of the swarm's VXLAN; 0 for Docker's default. */
  dataPathPort: number;
}

/**
 * Every address, subnet, network identifier and published port that is held, and by whom. Derived from the
 * objects of the store: nothing else remembers it. Asking again for what one holds gives the same again, so
 * whoever is interrupted just starts over.
 */
export class AddressPlan {
  readonly #pools: Pools;
  readonly #ports: PortPool;
  readonly #networks = new Map<string, NetworkPlan>();
  readonly #held = new Map<Owner, Map<string, string>>();

  constructor(options: AddressPlanOptions) {
    const texts = options.pools.length > 0 ? options.pools : [DEFAULT_POOL];
    const pools = texts.map(parseSubnet).filter((pool): pool is Subnet => pool !== undefined);
    this.#ports = new PortPool(options);
    const subnetBits = options.subnetBits || DEFAULT_SUBNET_BITS;
    this.#pools = {
      subnets: new SubnetPool({ pools, subnetBits }),
      vnis: new SerialPool(
        { first: VNI_FIRST, last: VNI_LAST },
        { first: VNI_MIN, last: VNI_LAST },
      ),
    };
  }

  /**
   * The network with its state filled in; a subnet it does not name itself overlaps none of `avoided`.
   * Throws {@link AllocationError}.
   */
  allocateNetwork(network: NetworkObject, avoided: readonly Subnet[] = []): NetworkObject {
    if (isAllocated(network)) return network;
    if (isNodeLocal(network)) return nodeLocalState(network);
    if (driverOf(network) !== 'overlay') {
      throw new AllocationError(`network driver ${driverOf(network)} is not supported`);
    }
    this.releaseNetwork(network.id);
    const planned = planNetwork(network, this.#pools, avoided);
    this.#networks.set(network.id, planned.plan);
    return planned.network;
  }

  /** Holds what a stored network has. Throws {@link AllocationError} when another one holds it. */
  restoreNetwork(network: NetworkObject): void {
    if (!isAllocated(network) || isNodeLocal(network)) return;
    this.releaseNetwork(network.id);
    this.#networks.set(network.id, restoreNetwork(network, this.#pools));
  }

  /** Frees a network; false when it held nothing. */
  releaseNetwork(networkId: string): boolean {
    const plan = this.#networks.get(networkId);
    if (!plan) return false;
    releaseNetwork(plan, this.#pools);
    this.#networks.delete(networkId);
    for (const [owner, addresses] of this.#held) {
      addresses.delete(networkId);
      if (addresses.size === 0) this.#held.delete(owner);
    }
    return true;
  }

  /**
   * The owner's address in a network, in CIDR form; `wanted` is a bare address asked for by name.
   * Throws {@link AllocationError} when there is none left.
   */
  address(owner: Owner, networkId: string, wanted = ''): string {
    const held = this.#held.get(owner)?.get(networkId);
    if (held) return held;
    const space = this.#networks.get(networkId)?.space;
    if (!space) throw new AllocationError(`network ${networkId} is not allocated`);
    const address = wanted === '' ? space.take() : space.takeNamed(readAddress(wanted));
    this.#note(owner, networkId, address);
    return address;
  }

  /** Holds an address a stored object has; false when it is another one's or no longer of the network. */
  restoreAddress(owner: Owner, networkId: string, cidr: string): boolean {
    if (this.#held.get(owner)?.get(networkId) === cidr) return true;
    const address = this.#claim(networkId, cidr);
    if (!address) return false;
    this.#note(owner, networkId, address);
    return true;
  }

  /** Whether an owner has an address in a network. */
  holds(owner: Owner, networkId: string): boolean {
    return this.#held.get(owner)?.has(networkId) ?? false;
  }

  /** How many addresses a network has left. */
  free(networkId: string): number {
    return this.#networks.get(networkId)?.space.free ?? 0;
  }

  /** Says that a network has no address left for a task. */
  full(networkId: string): AllocationError {
    const space = this.#networks.get(networkId)?.space;
    return space?.full() ?? new AllocationError(`network ${networkId} is not allocated`);
  }

  /** Networks an owner holds an address in. */
  networksOf(owner: Owner): string[] {
    return [...(this.#held.get(owner)?.keys() ?? [])];
  }

  /** Frees the owner's address in one network. */
  releaseAddress(owner: Owner, networkId: string): boolean {
    const addresses = this.#held.get(owner);
    const address = addresses?.get(networkId);
    if (!addresses || !address) return false;
    this.#networks.get(networkId)?.space.release(address);
    addresses.delete(networkId);
    if (addresses.size === 0) this.#held.delete(owner);
    return true;
  }

  /** Frees all addresses of an owner; false when it had none. */
  release(owner: Owner): boolean {
    const networks = this.networksOf(owner);
    for (const networkId of networks) this.releaseAddress(owner, networkId);
    return networks.length > 0;
  }

  assignPorts(serviceId: string, wanted: readonly PortConfig[]): PortConfig[] {
    return this.#ports.assign(serviceId, wanted);
  }

  restorePorts(serviceId: string, ports: readonly PortConfig[]): boolean {
    return this.#ports.restore(serviceId, ports);
  }

  releasePorts(serviceId: string): boolean {
    return this.#ports.release(serviceId);
  }

  /** Ends a rebuild: what was freed lately should not be handed out first. */
  resume(): void {
    this.#pools.vnis.resume();
    for (const { space } of this.#networks.values()) space.resume();
  }

  /** All that is held, one line each, sorted: two plans that hold the same describe the same. */
  describe(): string[] {
    const lines = this.#ports.describe();
    for (const [id, plan] of this.#networks) {
      const subnets = plan.subnets.map(formatSubnet);
      lines.push(`network ${id} ${subnets.join(',')} vni ${plan.vnis.join(',')}`);
    }
    for (const [owner, addresses] of this.#held) {
      for (const [networkId, cidr] of addresses) lines.push(`${owner} ${networkId} ${cidr}`);
    }
    return lines.sort();
  }

  #claim(networkId: string, text: string): string | undefined {
    const address = parseCidr(text)?.address;
    if (address === undefined) return undefined;
    return this.#networks.get(networkId)?.space.claim(address);
  }

  #note(owner: Owner, networkId: string, address: string): void {
    let addresses = this.#held.get(owner);
    if (!addresses) this.#held.set(owner, (addresses = new Map()));
    invariant(!addresses.has(networkId), 'a second address for one owner', { owner, networkId });
    addresses.set(networkId, address);
  }
}

function readAddress(text: string): number {
  const address = parseCidr(text)?.address ?? parseAddress(text);
  if (address === undefined) throw new AllocationError(`invalid IPv4 address: ${text}`);
  return address;
}
