import type { NodeNetworks as ExecutorNetworks, NodeNetworking } from '@skep/executor';
import type { NetworkTablesSink } from '@skep/member';
import { fromUpdate, type Network, TablesKeeper, type TaskAnnouncer } from '@skep/network';
import { type Clock, type Disk, errorMessage, type Logger } from '@skep/platform';
import type { NetworksUpdate } from '@skep/wire/skep';
import type { SwarmMembership } from './membership.js';

/** UDP, of VXLAN where the swarm has no other (RFC 7348, 8). */
const VXLAN_PORT_DEFAULT = 4_789;

export interface NodeNetworksOptions {
  network: Network;
  disk: Disk;
  clock: Clock;
  logger: Logger;
  /** Below exec-root: gone after a reboot, as the kernel's state is. */
  directory: string;
}

/**
 * Brings together who knows of this node's swarm networks (managers, the membership) and the room that makes
 * them.
 */
export class NodeNetworks implements ExecutorNetworks, NetworkTablesSink {
  readonly #options: NodeNetworksOptions;
  readonly #keeper: TablesKeeper;
  #membership: SwarmMembership | undefined;
  /** Of this swarm, as its managers say: tunnels of an earlier run stay as they are until then. */
  #vxlanPort: number | undefined;
  #isMember = false;

  constructor(options: NodeNetworksOptions) {
    this.#options = options;
    this.#keeper = new TablesKeeper(options);
  }

  /** Takes up what the last run knew; the engine's containers are restored by now. */
  async restore(): Promise<void> {
    const { tables } = this.#options.network;
    const kept = await this.#keeper.load();
    if (kept) await tables.update(kept);
    tables.addReader(this.#keeper);
  }

  /** To be called before the membership is taken up. */
  follow(membership: SwarmMembership): void {
    this.#membership = membership;
    membership.onChange(() => this.#onMembership());
  }

  /** Once the membership of the last run has been taken up: there may be none. */
  settle(): void {
    this.#isMember = true;
    this.#onMembership();
  }

  async configure({ vxlanPort }: NodeNetworking): Promise<void> {
    this.#vxlanPort = vxlanPort || VXLAN_PORT_DEFAULT;
    await this.#configureDataPath();
  }

  whenReady(networkId: string, signal: AbortSignal): Promise<unknown> {
    return this.#options.network.overlays.whenReady(networkId, signal);
  }

  update(update: NetworksUpdate): Promise<void> {
    return this.#options.network.tables.update(fromUpdate(update));
  }

  /** What is known stays as it is: the kernel goes on. */
  lost(): void {}

  unsupported(): void {
    this.#options.logger.warn({}, 'the managers of this swarm do not tell of its networks');
  }

  /** Writes what is not written yet. */
  close(): Promise<void> {
    return this.#keeper.flush();
  }

  #onMembership(): void {
    const membership = this.#membership;
    if (!membership) return;
    const isMember = membership.localNodeState() !== 'inactive';
    this.#options.network.traffic.announceThrough(isMember ? announcerOf(membership) : undefined);
    const hasLeft = this.#isMember && !isMember;
    this.#isMember = isMember;
    const work = hasLeft ? this.#forget() : this.#configureDataPath();
    work.catch((error: unknown) => {
      this.#options.logger.error({ error: errorMessage(error) }, 'networks not followed');
    });
  }

  async #configureDataPath(): Promise<void> {
    const address = this.#membership?.dataPathAddress() ?? '';
    const udpPort = this.#vxlanPort;
    if (address === '' || !udpPort) return;
    await this.#options.network.overlays.configure({ address, udpPort });
  }

  /** Out of the swarm there is no network of it. */
  async #forget(): Promise<void> {
    this.#vxlanPort = undefined;
    const nothing = { networks: [], nodes: [], services: [], endpoints: [], gone: [] };
    await this.#options.network.tables.update({ version: 0n, complete: true, ...nothing });
    await this.#keeper.remove();
  }
}

function announcerOf(membership: SwarmMembership): TaskAnnouncer {
  return {
    // Managers see in its status that a task runs.
    activate: async () => {},
    withdraw: (taskId, signal) => membership.withdraw(taskId, signal),
    spreadMs: 0,
  };
}
