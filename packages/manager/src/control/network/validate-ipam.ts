import type { Driver, IPAMConfig, IPAMOptions } from '@skep/wire/swarmkit';
import {
  type AddressRange,
  contains,
  edgesOf,
  formatRange,
  parseAddress,
  parseSubnet,
  rangesOverlap,
  sameAddress,
} from '../../constraint/address.js';
import { invalidArgument, permissionDenied, unimplemented } from '../errors.js';
import { SUBNET_BITS_MAX } from '../limits.js';

const DEFAULT_IPAM = 'default';
const IPV4_BYTES = 4;
const IPV4_BITS = 32;

/** Checks by itself how a network is to be addressed; throws Docker's text where it has one. */
export function checkIpam(ipam: IPAMOptions | undefined): void {
  checkIpamDriver(ipam?.driver);
  const subnets = (ipam?.configs ?? []).map(checkConfig);
  for (const [at, subnet] of subnets.entries()) {
    const other = subnets.slice(0, at).find((before) => rangesOverlap(before, subnet));
    if (!other) continue;
    throw permissionDenied(
      'Pool overlaps with other one on this address space: ' +
        `${formatRange(subnet)} overlaps ${formatRange(other)} of the same network`,
    );
  }
}

function checkIpamDriver(driver: Driver | undefined): void {
  if (!driver) return;
  if (driver.name === '') {
    throw invalidArgument('driver name: if driver is specified name is required');
  }
  if (driver.name.toLowerCase() !== DEFAULT_IPAM) {
    throw invalidArgument(`error during lookup of plugin ${driver.name}`);
  }
  if (Object.keys(driver.options).length > 0) {
    throw unimplemented('--ipam-opt is not supported by this engine');
  }
}

function checkConfig(config: IPAMConfig): AddressRange {
  const subnet = parseSubnet(config.subnet);
  if (!subnet) throw refusal(`invalid subnet ${config.subnet}`);
  checkSize(subnet, config.subnet);
  checkRange(subnet, config);
  checkGateway(subnet, config);
  for (const [name, text] of Object.entries(config.reserved)) {
    if (contains(subnet, parseAddress(text))) continue;
    throw refusal(`subnet ${config.subnet} does not contain auxiliary address ${name}=${text}`);
  }
  return subnet;
}

/** Beside the gateway there must be room for a node, a service and its tasks. */
function checkSize({ bytes, prefixBits }: AddressRange, text: string): void {
  if (bytes.length !== IPV4_BYTES || prefixBits <= SUBNET_BITS_MAX) return;
  const least = 2 ** (IPV4_BITS - SUBNET_BITS_MAX);
  throw refusal(
    `subnet ${text} is too small: a network needs at least ${least} addresses (/${SUBNET_BITS_MAX})`,
  );
}

function checkRange(subnet: AddressRange, { range: text, subnet: subnetText }: IPAMConfig): void {
  if (text === '') return;
  const range = parseSubnet(text);
  if (!range) throw refusal(`invalid range ${text}`);
  if (range.prefixBits < subnet.prefixBits || !contains(subnet, range.bytes)) {
    throw refusal(`subnet ${subnetText} does not contain range ${text}`);
  }
}

function checkGateway(subnet: AddressRange, { gateway: text, subnet: subnetText }: IPAMConfig) {
  if (text === '') return;
  const gateway = parseAddress(text);
  if (!gateway) throw refusal(`invalid gateway ${text}`);
  if (!contains(subnet, gateway)) {
    throw refusal(`subnet ${subnetText} does not contain gateway ${text}`);
  }
  const [first, last] = edgesOf(subnet);
  if (gateway.length !== IPV4_BYTES) return;
  if (sameAddress(gateway, first) || sameAddress(gateway, last)) {
    throw refusal(`gateway ${text} is the network's or the broadcast address of ${subnetText}`);
  }
}

function refusal(problem: string) {
  return invalidArgument(`ipam configuration: ${problem}`);
}
