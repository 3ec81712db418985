import { invariant } from '@skep/platform';
import type { CompleteNetworkSpec } from '@skep/wire';
import type { Driver, IPAMConfig, NetworkSpec } from '@skep/wire/swarmkit';
import { contains, parseAddress, parseSubnet } from '../../constraint/address.js';
import { invalidArgument, permissionDenied, unimplemented } from '../errors.js';
import { checkName } from '../names.js';
import { PREDEFINED_LABEL } from './predefined.js';

const OVERLAY = 'overlay';
const DRIVERS = [OVERLAY, 'bridge', 'host', 'ipvlan', 'macvlan', 'null'];
const DEFAULT_IPAM = 'default';

/** Checks a network's spec by itself; throws Docker's text (features.md 2.5). */
export function checkNetworkSpec(spec: NetworkSpec | undefined): CompleteNetworkSpec {
  if (!spec) throw invalidArgument();
  if (spec.ingress && spec.attachable) {
    throw invalidArgument('ingress network cannot be attachable');
  }
  checkName(spec.annotations);
  invariant(spec.annotations, 'a named network has annotations');
  if (Object.hasOwn(spec.annotations.labels, PREDEFINED_LABEL)) {
    throw permissionDenied(
      `label ${PREDEFINED_LABEL} is for internally created predefined networks and cannot be ` +
        'applied by users',
    );
  }
  checkDriver(spec.driverConfig, spec.ingress);
  checkIpamDriver(spec.ipam?.driver);
  for (const config of spec.ipam?.configs ?? []) checkIpamConfig(config);
  return spec as CompleteNetworkSpec;
}

function checkDriver(driver: Driver | undefined, ingress: boolean): void {
  if (!driver) return;
  if (ingress) {
    if (driver.name === '' || driver.name === OVERLAY) return;
    throw unimplemented('only overlay driver is currently supported for ingress network');
  }
  if (driver.name === '') {
    throw invalidArgument('driver name: if driver is specified name is required');
  }
  if (!DRIVERS.includes(driver.name)) {
    throw invalidArgument(`error during lookup of plugin ${driver.name}`);
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
}

function checkIpamConfig({ subnet, range, gateway }: IPAMConfig): void {
  const parsed = parseSubnet(subnet);
  if (!parsed) throw invalidArgument(`ipam configuration: invalid subnet ${subnet}`);
  if (range !== '') {
    const inner = parseSubnet(range);
    if (!inner) throw invalidArgument(`ipam configuration: invalid range ${range}`);
    if (!contains(parsed, inner.bytes)) {
      throw invalidArgument(`ipam configuration: subnet ${subnet} does not contain range ${range}`);
    }
  }
  if (gateway === '') return;
  if (!parseAddress(gateway)) {
    throw invalidArgument(`ipam configuration: invalid gateway ${gateway}`);
  }
  if (!contains(parsed, parseAddress(gateway))) {
    throw invalidArgument(
      `ipam configuration: subnet ${subnet} does not contain gateway ${gateway}`,
    );
  }
}
