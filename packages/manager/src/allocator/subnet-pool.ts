import { AllocationError } from './errors.js';
import { overlap, type Subnet, sizeOf } from './ipv4.js';

export interface SubnetPoolOptions {
  /** Where subnets are cut from, in this order. */
  pools: readonly Subnet[];
  /** Length of the prefix of each subnet cut. */
  subnetBits: number;
}

/** The subnets of all networks of the cluster, none overlapping another. */
export class SubnetPool {
  readonly #options: SubnetPoolOptions;
  readonly #held = new Set<Subnet>();

  constructor(options: SubnetPoolOptions) {
    this.#options = options;
  }

  /** Cuts the first subnet that is free. */
  take(): Subnet {
    const { pools, subnetBits } = this.#options;
    for (const pool of pools) {
      const bits = Math.max(subnetBits, pool.bits);
      const stepSize = sizeOf({ base: 0, bits });
      for (let base = pool.base; base < pool.base + sizeOf(pool); ) {
        const candidate = { base, bits };
        const blocker = this.#blocker(candidate);
        if (!blocker) return this.#hold(candidate);
        const blockerEnd = blocker.base + sizeOf(blocker);
        base = Math.max(base + stepSize, Math.ceil(blockerEnd / stepSize) * stepSize);
      }
    }
    throw new AllocationError(
      'could not find an available, non-overlapping IPv4 address pool among the defaults ' +
        'to assign to the network',
    );
  }

  /** Takes a subnet that was asked for. */
  claim(subnet: Subnet): Subnet {
    if (this.#blocker(subnet)) {
      throw new AllocationError('Pool overlaps with other one on this address space');
    }
    return this.#hold(subnet);
  }

  release(subnet: Subnet): void {
    this.#held.delete(subnet);
  }

  #blocker(candidate: Subnet): Subnet | undefined {
    for (const held of this.#held) if (overlap(held, candidate)) return held;
    return undefined;
  }

  #hold(subnet: Subnet): Subnet {
    this.#held.add(subnet);
    return subnet;
  }
}
