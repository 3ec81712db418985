import { addresses } from '@skep/manager';
import { HttpError } from '../server/errors.js';
import type { JsonReader } from './convert/reader.js';
import { invalid, MEMBERSHIP_TEXTS } from './errors.js';

type Range = addresses.AddressRange;

const IPV4_BYTES = 4;
const PREDEFINED = ['bridge', 'host', 'none', 'default'];
/** Drivers of networks that one node has for itself. */
const LOCAL_DRIVERS = ['', 'bridge', 'ipvlan', 'macvlan'];
/** Of these there is one network each. */
const SINGLE_DRIVERS = ['host', 'null'];

/**
 * Checks the body of POST /networks/create as Docker's engine does before it turns to a manager. Throws its
 * texts; returns when it asks for a network that the swarm can be asked for.
 */
export function checkNetworkRequest(json: JsonReader, isManager: boolean): void {
  const name = json.string('Name');
  if (PREDEFINED.includes(name)) {
    throw new HttpError(403, `operation is not permitted on predefined ${name} network `);
  }
  checkKind(json, isManager);
  checkScope(json);
  const problems = (json.object('IPAM')?.objects('Config') ?? []).flatMap((config) =>
    configProblems(config, json.boolean('EnableIPv6')),
  );
  if (problems.length > 0) throw invalid(`invalid network config:\n${problems.join('\n')}`);
  if (json.has('EnableIPv4') && !json.boolean('EnableIPv4')) {
    throw invalid('IPv4 cannot be disabled in a Swarm scoped network');
  }
}

function checkKind(json: JsonReader, isManager: boolean): void {
  const driver = json.string('Driver');
  if (json.boolean('ConfigOnly')) {
    throw new HttpError(501, 'configuration-only networks are not supported by this engine');
  }
  if (SINGLE_DRIVERS.includes(driver)) {
    throw new HttpError(403, `only one instance of "${driver}" network is allowed`);
  }
  if (driver === 'overlay' || json.boolean('Ingress')) {
    if (!isManager) throw new HttpError(403, MEMBERSHIP_TEXTS.noSwarm);
  } else if (LOCAL_DRIVERS.includes(driver)) {
    throw new HttpError(501, 'making local networks is not supported by this engine');
  } else {
    throw new HttpError(404, `plugin "${driver}" not found`);
  }
}

function checkScope(json: JsonReader): void {
  const scope = json.string('Scope');
  if (scope === '' || scope === 'swarm') return;
  throw invalid('cannot downgrade network scope for overlay networks');
}

function configProblems(config: JsonReader, isIpv6Enabled: boolean): string[] {
  const text = config.string('Subnet');
  const subnet = addresses.parseSubnet(text);
  if (!subnet) return [`invalid subnet ${text}: invalid CIDR block notation`];
  if (!isIpv6Enabled && subnet.bytes.length !== IPV4_BYTES) return [];
  const gateway = config.string('Gateway');
  const auxiliary = Object.entries(config.map('AuxiliaryAddresses'));
  return [
    ...hostBitsProblem('subnet', subnet, text),
    ...rangeProblems(config.string('IPRange'), subnet),
    ...addressProblem(`gateway ${gateway}`, gateway, subnet),
    ...auxiliary.flatMap(([name, address]) =>
      addressProblem(`auxiliary address ${name}`, address, subnet),
    ),
  ];
}

function hostBitsProblem(what: string, range: Range, text: string): string[] {
  const [first] = addresses.edgesOf(range);
  if (addresses.sameAddress(range.bytes, first)) return [];
  return [`invalid ${what} ${text}: it should be ${addresses.formatRange(range)}`];
}

function rangeProblems(text: string, subnet: Range): string[] {
  if (text === '') return [];
  const range = addresses.parseSubnet(text);
  if (!range) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  if (range.bytes.length !== subnet.bytes.length) {
    return [`invalid ip-range ${text}: parent subnet is an ${familyOf(subnet)} block`];
  }
  const parent = addresses.formatRange(subnet);
  const isBigger = range.prefixBits < subnet.prefixBits;
  return [
    ...(isBigger
      ? [`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${parent}`]
      : []),
    ...hostBitsProblem('ip-range', range, text),
    ...(addresses.rangesOverlap(subnet, range)
      ? []
      : [`invalid ip-range ${text}: parent subnet ${parent} doesn't contain ip-range`]),
  ];
}

function addressProblem(what: string, text: string, subnet: Range): string[] {
  if (text === '') return [];
  const address = addresses.parseAddress(text);
  if (!address) return [`invalid ${what}: invalid address`];
  if (address.length !== subnet.bytes.length) {
    return [`invalid ${what}: parent subnet is an ${familyOf(subnet)} block`];
  }
  if (addresses.contains(subnet, address)) return [];
  const parent = addresses.formatRange(subnet);
  return [`invalid ${what}: parent subnet ${parent} doesn't contain this address`];
}

function familyOf({ bytes }: Range): string {
  return bytes.length === IPV4_BYTES ? 'IPv4' : 'IPv6';
}
