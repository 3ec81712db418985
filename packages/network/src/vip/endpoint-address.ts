import { parseInterfaceAddress } from '../address/ipv4.js';
import { bareAddress } from '../sandbox/plan.js';
import type { NetworkEndpoint } from '../tables/contract.js';

/** The IPv4 address of an endpoint, without prefix length. Undefined where it has none. */
export function endpointAddress({ addresses }: NetworkEndpoint): string | undefined {
  const address = addresses.find((one) => parseInterfaceAddress(one) !== undefined);
  return address && bareAddress(address);
}
