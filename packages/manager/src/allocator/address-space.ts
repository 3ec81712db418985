import { invariant } from '@skep/platform';
import { AllocationError } from './errors.js';
import { contains, formatCidr, lastOf, parseCidr, type Subnet } from './ipv4.js';
import { SerialPool } from './serial-pool.js';

export interface AddressRange {
  subnet: Subnet;
  /** The part of the subnet addresses are taken from; all of it when absent. */
  range?: Subnet | undefined;
}

interface Part {
  subnet: Subnet;
  pool: SerialPool;
}

/** Prefix lengths below which a subnet has no separate network and broadcast address. */
const POINT_TO_POINT_BITS = 31;

/** The addresses of one network: of one subnet or, for user-given plans, of several. */
export class AddressSpace {
  readonly #parts: Part[];
  readonly #networkName: string;

  constructor(networkName: string, ranges: readonly AddressRange[]) {
    this.#networkName = networkName;
    this.#parts = ranges.map(({ subnet, range }) => ({ subnet, pool: poolOf(subnet, range) }));
  }

  /** Takes the next address, in CIDR form. */
  take(): string {
    for (const { subnet, pool } of this.#parts) {
      const address = pool.take();
      if (address !== undefined) return formatCidr(address, subnet.bits);
    }
    throw new AllocationError(
      `no available IPv4 addresses on this network's address pools: ${this.#networkName}`,
    );
  }

  /** Takes the first free address of the subnet at this place of the plan. */
  takeIn(at: number): number {
    const part = this.#parts[at];
    invariant(part, 'no such subnet', { at });
    const address = part.pool.take();
    if (address === undefined) throw new AllocationError('no available IPv4 addresses');
    return address;
  }

  /** Takes this address; undefined when it is held or lies in no range. Returns its CIDR form. */
  claim(address: number): string | undefined {
    for (const { subnet, pool } of this.#parts) {
      if (!contains(subnet, address)) continue;
      return pool.claim(address) ? formatCidr(address, subnet.bits) : undefined;
    }
    return undefined;
  }

  /** Gives back an address in CIDR form. */
  release(cidr: string): void {
    const address = parseCidr(cidr)?.address;
    invariant(address !== undefined, 'an address that was never given out', { cidr });
    for (const { subnet, pool } of this.#parts) {
      if (contains(subnet, address)) pool.release(address);
    }
  }

  /** Goes on after the highest address held. */
  resume(): void {
    for (const { pool } of this.#parts) pool.resume();
  }
}

function poolOf(subnet: Subnet, range: Subnet = subnet): SerialPool {
  const edge = subnet.bits >= POINT_TO_POINT_BITS ? 0 : 1;
  const first = Math.max(range.base, subnet.base + edge);
  const last = Math.min(lastOf(range), lastOf(subnet) - edge);
  if (first > last) throw new AllocationError('the range holds no addresses of the subnet');
  return new SerialPool(first, last);
}
