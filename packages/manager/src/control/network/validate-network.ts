import { invariant } from '@skep/platform';
import type { CompleteNetworkSpec } from '@skep/wire';
import type { Driver, NetworkSpec } from '@skep/wire/swarmkit';
import { invalidArgument, permissionDenied, unimplemented } from '../errors.js';
import { checkName } from '../names.js';
import { checkDriverOptions } from './driver-options.js';
import { PREDEFINED_LABEL } from './predefined.js';
import { checkIpam } from './validate-ipam.js';

const OVERLAY = 'overlay';
/** Drivers whose networks are each node's own; Docker lets services use some of these. */
const NODE_DRIVERS = ['bridge', 'host', 'ipvlan', 'macvlan', 'null'];

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
  if (spec.configFrom.case !== undefined) {
    throw unimplemented('networks made from the configuration of another one are not supported');
  }
  checkIpam(spec.ipam);
  checkDriverOptions(spec);
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
  if (NODE_DRIVERS.includes(driver.name)) {
    throw unimplemented(
      `networks of driver ${driver.name} cannot be made in the swarm; use driver ${OVERLAY}`,
    );
  }
  if (driver.name !== OVERLAY) {
    throw invalidArgument(`error during lookup of plugin ${driver.name}`);
  }
}
