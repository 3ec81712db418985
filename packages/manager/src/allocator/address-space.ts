import { invariant } from '@skep/platform';
import { AllocationError } from './errors.js';
import { contains, formatAddress, formatCidr, lastOf, parseCidr, type Subnet } from './ipv4.js';
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

/** Prefix lengths from which on a subnet has no separate network and broadcast address. */
const POINT_TO_POINT_BITS = 31;

/** The addresses of one network: of one subnet or, for user-given plans, of several. */
export class AddressSpace {
  readonly #parts: Part[];
  readonly #networkName: string;

  constructor(networkName: string, ranges: readonly AddressRange[]) {
    this.#networkName = networkName;
    this.#parts = ranges.map(({ subnet, range }) => ({ subnet, pool: poolOf(subnet, range) }));
  }

  /** Takes the next address, in CIDR form. Says with figures when there is none. */
  take(): string {
    for (const { subnet, pool } of this.#parts) {
      const address = pool.take();
      if (address !== undefined) return formatCidr(address, subnet.bits);
    }
    throw this.full();
  }

  /** How many addresses are left. */
  get free(): number {
    return this.#parts.reduce((total, { pool }) => total + pool.size - pool.inUse, 0);
  }

  /** Says that none is left; those kept for nodes count as theirs. */
  full(): AllocationError {
    const size = this.#parts.reduce((total, { pool }) => total + pool.size, 0);
    return new AllocationError(
      `network ${this.#networkName} is full: ${size} of ${size} addresses in use`,
    );
  }

  /** Takes the first free address of the subnet at this place of the plan. */
  takeIn(at: number): number {
    const part = this.#parts[at];
    invariant(part, 'no such subnet', { at });
    const address = part.pool.take();
    if (address === undefined) {
      throw new AllocationError(`network ${this.#networkName} has no address left for its gateway`);
    }
    return address;
  }

  /** Takes this address; undefined when it is held or lies in no subnet. Returns its CIDR form. */
  claim(address: number): string | undefined {
    for (const { subnet, pool } of this.#parts) {
      if (!contains(subnet, address)) continue;
      return pool.claim(address) ? formatCidr(address, subnet.bits) : undefined;
    }
    return undefined;
  }

  /** As {@link claim}, for an address that somebody asks for by name: says why it cannot be had. */
  takeNamed(address: number): string {
    const claimed = this.claim(address);
    if (claimed !== undefined) return claimed;
    const text = formatAddress(address);
    const inSubnet = this.#parts.some(({ subnet }) => contains(subnet, address));
    throw new AllocationError(
      inSubnet
        ? `Address already in use: ${text} in network ${this.#networkName}`
        : `Requested address is out of range: ${text} is in no subnet of network ${this.#networkName}`,
    );
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

/** Addresses are handed out of the range; any of the subnet can be asked for by name. */
function poolOf(subnet: Subnet, range: Subnet = subnet): SerialPool {
  const edge = subnet.bits >= POINT_TO_POINT_BITS ? 0 : 1;
  const usable = { first: subnet.base + edge, last: lastOf(subnet) - edge };
  const first = Math.max(range.base, usable.first);
  const last = Math.min(lastOf(range), usable.last);
  if (first > last) throw new AllocationError('the range holds no addresses of the subnet');
  return new SerialPool({ first, last }, usable);
}
