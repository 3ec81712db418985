import { ENCRYPTED_OPTION, MTU_OPTION, VNI_OPTION } from '@skep/wire';
import type { NetworkSpec } from '@skep/wire/swarmkit';
import { VNI_LAST, VNI_MIN } from '../../allocator/limits.js';
import { invalidArgument, unimplemented } from '../errors.js';
import { MTU_BYTES_MAX, MTU_BYTES_MIN } from '../limits.js';

/** Docker's option for answers that do not come back by the balancer: here none ever do. */
const DIRECT_RETURN_OPTION = 'dsr';
const KNOWN = [ENCRYPTED_OPTION, MTU_OPTION, VNI_OPTION, DIRECT_RETURN_OPTION];

/**
 * Checks the options that the overlay driver knows. Docker finds out on the node that is to run the first
 * task; nobody reads what it says there. It takes options that it does not know, and does nothing about them.
 */
export function checkDriverOptions({ driverConfig, ipam }: NetworkSpec): void {
  const options = driverConfig?.options ?? {};
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) {
    throw unimplemented(
      `overlay networks have no option ${unknown}; there are ${KNOWN.join(', ')}`,
    );
  }
  const mtu = options[MTU_OPTION];
  if (mtu !== undefined && !isWithin(mtu, MTU_BYTES_MIN, MTU_BYTES_MAX)) {
    throw invalidArgument(
      `invalid value ${JSON.stringify(mtu)} of option ${MTU_OPTION}: an MTU is a number of bytes, ` +
        `${MTU_BYTES_MIN} to ${MTU_BYTES_MAX}`,
    );
  }
  const list = options[VNI_OPTION];
  if (list !== undefined) checkIdentifiers(list, ipam?.configs.length || 1);
}

function checkIdentifiers(list: string, subnetCount: number): void {
  const ids = list.split(',');
  for (const id of ids) {
    if (isWithin(id, VNI_MIN, VNI_LAST)) continue;
    throw invalidArgument(
      `invalid vxlan id value ${JSON.stringify(id)} passed: a number from ${VNI_MIN} to ${VNI_LAST}`,
    );
  }
  if (new Set(ids).size !== ids.length) throw invalidArgument('a vxlan id is given twice');
  if (ids.length > subnetCount) {
    throw invalidArgument(`${ids.length} vxlan ids are given for ${subnetCount} of its subnets`);
  }
}

function isWithin(text: string, least: number, most: number): boolean {
  return /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most;
}
