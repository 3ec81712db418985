import type { Control, LogBrokerService, WatchService } from '@skep/manager';
import type { CompleteClusterSpec } from '@skep/wire';
import type { NodeSpec_Availability } from '@skep/wire/swarmkit';

/** This node's place in a swarm, as `docker info` shows it. */
export type LocalNodeState = 'inactive' | 'pending' | 'active' | 'error' | 'locked';

/** POST /swarm/init, checked, with every default filled in and every address resolved. */
export interface SwarmInit {
  /** `ip:port` to listen on for other nodes. */
  listenAddress: string;
  /** `ip:port` other nodes reach this one at. */
  advertiseAddress: string;
  /** Bare IP of the data path; the advertised one where the user gave none. */
  dataPathAddress: string;
  /** UDP port of VXLAN, 1024 … 49151. */
  dataPathPort: number;
  forceNewCluster: boolean;
  availability: NodeSpec_Availability;
  /** CIDRs that overlay subnets are cut from; empty means the built-in pool. */
  defaultAddressPool: string[];
  /** Mask length of the subnets cut from the pools, 1 … 29. */
  subnetSize: number;
  spec: CompleteClusterSpec;
}

/** POST /swarm/join, checked, with every address resolved. */
export interface SwarmJoin {
  listenAddress: string;
  /** Empty when the node is to find out from the manager it joins. */
  advertiseAddress: string;
  dataPathAddress: string;
  /** `host:port` of managers to try; never empty. */
  remoteAddresses: string[];
  joinToken: string;
  availability: NodeSpec_Availability;
}

/** A manager as this node's Raft sees it. */
export interface SwarmManager {
  nodeId: string;
  isLeader: boolean;
  isReachable: boolean;
}

/** What a node knows about its membership without asking a manager. */
export interface SwarmNodeInfo {
  /** Whether this node runs a manager, be it one that cannot answer now. */
  isManager: boolean;
  /** Whether this node's manager answers. */
  controlAvailable: boolean;
  /** The swarm's managers, where this node is one of them; empty otherwise, and while that is not known. */
  managers: readonly SwarmManager[];
  /** Why the node is in state `error`; empty otherwise. */
  error: string;
  remoteManagers: { nodeId: string; address: string }[];
}

/**
 * The node's swarm membership; implemented by the daemon. Rejections are `RpcError`s whose message is what
 * the user reads: the texts of `swarm/errors.ts` with code UNAVAILABLE where the membership does not allow
 * the call.
 */
export interface SwarmNode {
  localNodeState(): LocalNodeState;
  /** Empty outside a swarm. */
  nodeId(): string;
  /** The advertised IP; empty outside a swarm. */
  nodeAddress(): string;
  /** Resolves with the node's id when the manager serves requests about the new swarm. */
  init(request: SwarmInit): Promise<string>;
  /**
   * Resolves when this node is a working member. Rejects with the `joinTimeout` text after 20 s, while joining
   * goes on in the background; with any other error the node is outside again.
   */
  join(request: SwarmJoin): Promise<void>;
  /** What speaks against it the API has asked before. */
  leave(force: boolean): Promise<void>;
  /** `key` is well-formed: `SWMKEY-1-…`. Called on a locked node; rejects with `wrongKey` for another's key. */
  unlock(key: string): Promise<void>;
  /** The key that unlocks this swarm's managers; empty while autolock is off. Called on working managers. */
  unlockKey(): Promise<string>;
  /**
   * Throws UNAVAILABLE when this node is no working manager: the text of `noSwarm`, `worker`, `notReady`,
   * `locked` or `certificatesExpired`.
   */
  control(): Control;
  logs(): Pick<LogBrokerService, 'subscribeLogs'>;
  watch(): WatchService;
  info(): SwarmNodeInfo;
  /**
   * Calls `listener` whenever {@link SwarmNode.localNodeState}, `info().controlAvailable` or `info().managers`
   * may have changed; returns how to stop that. The event stream uses it to watch again after `leave` and
   * `init`, and to tell of leaders.
   */
  onChange(listener: () => void): () => void;
}
