import { isIP } from 'node:net';
import { invalid } from '../errors.js';
import {
  addressRanges,
  isGlobalUnicast,
  isInRanges,
  isUnspecified,
  type NetworkInterface,
} from './interfaces.js';

/** What addresses are chosen from. */
export interface AddressSource {
  interfaces(): readonly NetworkInterface[];
  /** `--swarm-default-advertise-addr`: an IP or an interface; empty for none. */
  defaultAdvertiseAddress: string;
  /** Subnets of our own bridges, which are nobody's address. */
  ownSubnets(): readonly string[];
}

const TEXTS = {
  listen: 'listen address must be an IP address or network interface (with optional port number)',
  advertise:
    'advertise address must be a non-zero IP address or network interface (with optional port number)',
  defaultAdvertise:
    'default advertise address must be a non-zero IP address or network interface (without a port number)',
  dataPath:
    'data path address must be a non-zero IP address or network interface (without a port number)',
  none: "could not find the system's IP address",
};

/** The IP to listen on: an IP, or the one of an interface. */
export function listenIp(source: AddressSource, host: string): string {
  const ip = interfaceIp(source, host) ?? host;
  if (isIP(ip) === 0) throw invalid(TEXTS.listen);
  return ip;
}

/** The IP others reach this node at: as asked for, the configured default, or the system's only one. */
export function advertiseIp(source: AddressSource, host: string): string {
  if (host !== '') return usableIp(source, host, TEXTS.advertise);
  const { defaultAdvertiseAddress } = source;
  if (defaultAdvertiseAddress !== '') {
    return usableIp(source, defaultAdvertiseAddress, TEXTS.defaultAdvertise);
  }
  return systemIp(source);
}

/** The IP of the data path; empty where none is asked for. */
export function dataPathIp(source: AddressSource, host: string): string {
  return host === '' ? '' : usableIp(source, host, TEXTS.dataPath);
}

function usableIp(source: AddressSource, host: string, otherwise: string): string {
  const ip = interfaceIp(source, host) ?? host;
  if (isIP(ip) === 0 || isUnspecified(ip)) throw invalid(otherwise);
  return ip;
}

/** The address of the interface with this name, IPv4 before IPv6; undefined when there is no such interface. */
function interfaceIp(source: AddressSource, name: string): string | undefined {
  const found = source.interfaces().find((candidate) => candidate.name === name);
  if (!found) return undefined;
  const [ip4, ip6] = [4, 6].map((family) => {
    const [first, second] = found.addresses.filter((address) => isIP(address) === family);
    if (second === undefined) return first;
    throw invalid(
      `interface ${name} has more than one IPv${family} address (${first} and ${second})`,
    );
  });
  const ip = ip4 ?? ip6;
  if (ip !== undefined) return ip;
  throw invalid(`interface ${name} has no usable IPv4 or IPv6 address`);
}

/**
 * The only address of the system's devices. Where there are no devices (in a container, or a machine made of
 * namespaces, every interface is a veth) it is the only one outside our own bridges.
 */
export function systemIp(source: AddressSource): string {
  const up = source.interfaces().filter((candidate) => candidate.up && !candidate.loopback);
  const devices = up.filter(({ device }) => device);
  const withAddress = devices.filter(({ addresses }) => addresses.some(isGlobalUnicast));
  const ownRanges = addressRanges(source.ownSubnets());
  const candidates =
    withAddress.length > 0
      ? withAddress
      : up.filter(({ addresses }) => !addresses.some((ip) => isInRanges(ownRanges, ip)));
  const found = candidates.flatMap((candidate) => {
    const ip = onlyIp(candidate);
    return ip === undefined ? [] : [{ name: candidate.name, ip }];
  });
  const [first, second] = found;
  if (!first) throw invalid(TEXTS.none);
  if (second) {
    throw invalid(
      'could not choose an IP address to advertise since this system has multiple addresses on ' +
        `different interfaces (${first.ip} on ${first.name} and ${second.ip} on ${second.name})`,
    );
  }
  return first.ip;
}

function onlyIp({ name, addresses }: NetworkInterface): string | undefined {
  const usable = addresses.filter(isGlobalUnicast);
  const byFamily = [4, 6].map((family) => usable.filter((ip) => isIP(ip) === family));
  for (const [first, second] of byFamily) {
    if (second === undefined) continue;
    throw invalid(
      'could not choose an IP address to advertise since this system has multiple addresses on ' +
        `interface ${name} (${first} and ${second})`,
    );
  }
  return byFamily[0]?.[0] ?? byFamily[1]?.[0];
}
