import { Code } from '@skep/platform';
import { AllocationError } from './errors.js';
import { formatSubnet, overlap, type Subnet, sizeOf } from './ipv4.js';

export interface SubnetPoolOptions {
  /** Where subnets are cut from, in this order. */
  pools: readonly Subnet[];
  /** Length of the prefix of each subnet cut. */
  subnetBits: number;
}

/** The subnets of all networks of the cluster, none overlapping another. */
export class SubnetPool {
  readonly #options: SubnetPoolOptions;
  /** With the name of the network that has it. */
  readonly #held = new Map<Subnet, string>();

  constructor(options: SubnetPoolOptions) {
    this.#options = options;
  }

  /** Cuts the first subnet that is free and overlaps nothing of `avoided`. */
  take(networkName: string, avoided: readonly Subnet[]): Subnet {
    const { pools, subnetBits } = this.#options;
    const obstacles = [...this.#held.keys(), ...avoided];
    for (const pool of pools) {
      const bits = Math.max(subnetBits, pool.bits);
      const stepSize = sizeOf({ base: 0, bits });
      for (let base = pool.base; base < pool.base + sizeOf(pool); ) {
        const candidate = { base, bits };
        const obstacle = obstacles.find((other) => overlap(other, candidate));
        if (!obstacle) return this.#hold(candidate, networkName);
        const obstacleEnd = obstacle.base + sizeOf(obstacle);
        base = Math.max(base + stepSize, Math.ceil(obstacleEnd / stepSize) * stepSize);
      }
    }
    throw new AllocationError(
      'could not find an available, non-overlapping IPv4 address pool among the defaults ' +
        `to assign to the network: no /${subnetBits} of ${pools.map(formatSubnet).join(', ')} is ` +
        'free of other networks, nodes and routes of this host',
    );
  }

  /** Takes a subnet that was asked for. */
  claim(subnet: Subnet, networkName: string): Subnet {
    for (const [held, holder] of this.#held) {
      if (overlap(held, subnet))
        throw overlaps(subnet, `${formatSubnet(held)} of network ${holder}`);
    }
    return this.#hold(subnet, networkName);
  }

  release(subnet: Subnet): void {
    this.#held.delete(subnet);
  }

  #hold(subnet: Subnet, networkName: string): Subnet {
    this.#held.set(subnet, networkName);
    return subnet;
  }
}

/** Docker's sentence about it, and what is in the way. */
export function overlaps(subnet: Subnet, other: string): AllocationError {
  return new AllocationError(
    `Pool overlaps with other one on this address space: ${formatSubnet(subnet)} overlaps ${other}`,
    Code.PERMISSION_DENIED,
  );
}
