import type { TaskEndpoint } from './config.js';

/** What a plain container wants of one network of the swarm. */
export interface AttachmentRequest {
  containerId: string;
  /** The network's name or id. */
  network: string;
  /** The address it asks for, without prefix length; empty for any. */
  address: string;
  /** What it is called there: its own name first, then aliases. */
  names: string[];
}

/**
 * Whoever gets addresses in the swarm's networks for containers that are no tasks; implemented by the
 * executor, which asks a manager.
 */
export interface SwarmNetworks {
  /** Whether this node is in a swarm: else there is no network to be on but its own. */
  readonly isAvailable: boolean;
  /**
   * Resolves when this node has the network and the container its address there, which it holds until it is
   * detached. Rejects in Docker's words, and after a bounded time.
   */
  attach(request: AttachmentRequest): Promise<TaskEndpoint>;
  /**
   * What is attached is called otherwise from now on. Rejects when no manager hears of it; the next start
   * asks by the new name.
   */
  rename(containerId: string, name: string): Promise<void>;
  /** Gives the address in one network back, or all of the container's. What it takes happens later. */
  detach(containerId: string, networkId?: string): void;
}
