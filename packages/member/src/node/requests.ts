import type { CompleteClusterSpec } from '@skep/wire';
import type { NodeSpec_Availability } from '@skep/wire/swarmkit';

/** What a new swarm is to be. */
export interface FoundRequest {
  /** `ip:port` to listen on for other nodes. */
  listenAddress: string;
  /** `ip:port` other nodes reach this one at. */
  advertiseAddress: string;
  dataPathAddress: string;
  /** UDP port of VXLAN. */
  dataPathPort: number;
  availability: NodeSpec_Availability;
  /** CIDRs that overlay subnets are cut from; empty means the built-in pool. */
  defaultAddressPool: readonly string[];
  /** Mask length of those subnets. */
  subnetSize: number;
  spec: CompleteClusterSpec;
}

/** Which swarm to join, and as what. */
export interface JoinRequest {
  listenAddress: string;
  /** Empty: the address that managers see this node at. */
  advertiseAddress: string;
  dataPathAddress: string;
  /** `host:port` of managers to try, at least one. */
  remoteAddresses: readonly string[];
  joinToken: string;
  availability: NodeSpec_Availability;
}
