import { Code, invariant, RpcError } from '@skep/platform';
import { contains, formatAddress, parseAddress, type Subnet, sizeOf, subnetOf } from './ipv4.js';

/**
 * Addresses of one subnet on this node. The first host address is the gateway's. A freed address is
 * given out again as late as possible, because neighbours and tracked connections may still mean
 * its last holder.
 */
export class AddressAllocator {
  readonly subnet: Subnet;
  readonly gateway: string;
  readonly #used = new Set<number>();
  #next: number;

  constructor(subnet: string) {
    this.subnet = subnetOf(subnet);
    invariant(this.subnet.prefixLength <= 29, 'a subnet with room for containers', { subnet });
    this.gateway = formatAddress(this.subnet.network + 1);
    this.#next = this.subnet.network + 2;
  }

  /** A free address. Rejects with Docker's words when none is left. */
  allocate(): string {
    const first = this.subnet.network + 2;
    const last = this.subnet.network + sizeOf(this.subnet) - 2;
    for (let tried = first; tried <= last; tried++) {
      const candidate = this.#next;
      this.#next = candidate === last ? first : candidate + 1;
      if (this.#used.has(candidate)) continue;
      this.#used.add(candidate);
      return formatAddress(candidate);
    }
    throw new RpcError(Code.RESOURCE_EXHAUSTED, 'no available IPv4 addresses on this network');
  }

  /** Takes an address that is in use already; false when it is outside of the subnet or taken. */
  claim(address: string): boolean {
    const value = parseAddress(address);
    if (value === undefined || !contains(this.subnet, value) || this.#used.has(value)) return false;
    this.#used.add(value);
    return true;
  }

  release(address: string): void {
    const value = parseAddress(address);
    if (value !== undefined) this.#used.delete(value);
  }

  /** An address of the subnet with its prefix length, as interfaces want it. */
  withPrefix(address: string): string {
    return `${address}/${this.subnet.prefixLength}`;
  }
}
