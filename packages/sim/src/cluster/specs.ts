import { CLUSTER_DEFAULTS, defaultClusterSpec } from '@skep/manager';
import type { FoundRequest } from '@skep/member';
import { NodeSpec_Availability } from '@skep/wire/swarmkit';
import { PORT } from './machine.js';

/** A swarm with the settings that `docker swarm init` gives it. */
export function foundRequest(address: string): FoundRequest {
  return {
    listenAddress: `0.0.0.0:${PORT}`,
    advertiseAddress: address,
    dataPathAddress: '',
    dataPathPort: CLUSTER_DEFAULTS.dataPathPort,
    availability: NodeSpec_Availability.ACTIVE,
    defaultAddressPool: [],
    subnetSize: CLUSTER_DEFAULTS.subnetSize,
    spec: defaultClusterSpec(),
  };
}

/** The network that all services are in. */
export const NETWORK = 'net';
