import type { PortMap, TaskEndpoint } from './config.js';
import type { EndpointState } from './state.js';

/** What the containers room asks of the network room; implemented by `@skep/network`. */

export interface SandboxRequest {
  containerId: string;
  /** The container's name, for names and messages. */
  name: string;
  /** `bridge` (also for `default`), `host` or `none`; tasks with endpoints use `task`. */
  mode: 'bridge' | 'host' | 'none' | 'task';
  /** The swarm networks, ingress among them; a plain container on `bridge` may have some beside it. */
  endpoints: TaskEndpoint[];
  /** Ports to bind on this host (plain containers, and host-mode ports of tasks). */
  ports: PortMap;
  /** Name → value, only those under `net.`, applied in the new namespace. */
  sysctls: Record<string, string>;
  names: NameOptions;
}

/** What a container's own configuration says of names. */
export interface NameOptions {
  hostname: string;
  /** `--dns`: where to ask for names that the networks do not know; empty: where the host asks. */
  servers: string[];
  /** `--dns-search` */
  search: string[];
  /** `--dns-option` */
  options: string[];
}

/** What a record keeps of a running container's network. */
export interface SandboxRecord {
  request: SandboxRequest;
  state: SandboxState;
}

/** What stands in the kernel for one container. Kept in the container's record, given back on restart. */
export interface SandboxState {
  sandboxId: string;
  /** Path of the network namespace to run in; empty for `host`. */
  netnsPath: string;
  /** By network name, as in `NetworkSettings.Networks`. */
  endpoints: Record<string, EndpointState>;
  /** With free host ports filled in. */
  ports: PortMap;
  /** Name servers for /etc/resolv.conf; empty: take the host's. */
  nameservers: string[];
  /** What `host-gateway` stands for among extra hosts; unknown to records of earlier versions. */
  hostGateway?: string;
}

export interface ContainerNetworking {
  /** Makes a namespace with all its interfaces, addresses, routes and port bindings; all or nothing. */
  setUp(request: SandboxRequest): Promise<SandboxState>;
  /** Removes everything of a container; no error when there is nothing (left). */
  tearDown(containerId: string): Promise<void>;
  /**
   * After a restart: takes over the sandboxes of containers that still live (addresses, ports and rules are
   * compared with the kernel and repaired) and removes all others.
   */
  restore(sandboxes: SandboxRecord[]): Promise<void>;
  /**
   * Puts a container that has a sandbox on one more swarm network. Resolves what its record is to keep
   * from now on; nothing is changed when it is refused.
   */
  connect(containerId: string, endpoint: TaskEndpoint): Promise<SandboxRecord>;
  /** Gives a container that has a sandbox another name. Resolves what its record is to keep. */
  rename(containerId: string, name: string): Promise<SandboxRecord>;
  /** Takes it off one again. Rejects NOT_FOUND when it is not on it. */
  disconnect(containerId: string, networkId: string): Promise<SandboxRecord>;
  /** Bytes and packets by interface, as in `networks` of Docker's stats. */
  counters(containerId: string): Promise<Record<string, Record<string, number>>>;
}
