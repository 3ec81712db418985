import { isIP } from 'node:net';
import { CLUSTER_DEFAULTS } from '@skep/manager';
import { invalid } from '../errors.js';
import { DATA_PATH_PORT_MAX, DATA_PATH_PORT_MIN, SUBNET_SIZE_MAX } from '../limits.js';

/** Checks the pools overlay subnets are cut from, and the subnets' mask length; returns both as to be used. */
export function checkAddressPools(
  pools: readonly string[],
  subnetSize: number,
): { pools: string[]; subnetSize: number } {
  if (pools.length === 0) return { pools: [], subnetSize: CLUSTER_DEFAULTS.subnetSize };
  const size = subnetSize === 0 ? CLUSTER_DEFAULTS.subnetSize : subnetSize;
  if (size > SUBNET_SIZE_MAX) throw invalid(`subnet size is out of range: ${size}`);
  for (const pool of pools) checkPool(pool, size);
  return { pools: [...pools], subnetSize: size };
}

function checkPool(pool: string, subnetSize: number): void {
  const [address = '', bits = '', ...rest] = pool.split('/');
  const isCidr = isIP(address) === 4 && /^\d{1,2}$/.test(bits) && rest.length === 0;
  if (!isCidr || Number(bits) > 32) {
    throw invalid(`invalid base pool ${pool}: invalid CIDR address: ${pool}`);
  }
  if (Number(bits) > subnetSize) {
    throw invalid(
      `invalid CIDR: ${JSON.stringify(pool)}. Subnet size is too small for pool: ${subnetSize}`,
    );
  }
}

/** Zero is the default port. */
export function checkDataPathPort(port: number): number {
  if (port === 0) return CLUSTER_DEFAULTS.dataPathPort;
  if (port < DATA_PATH_PORT_MIN || port > DATA_PATH_PORT_MAX) {
    throw invalid(
      `Datapath port number is not in valid range (${DATA_PATH_PORT_MIN}-${DATA_PATH_PORT_MAX}) : ` +
        `${port}`,
    );
  }
  return port;
}
