import type { NodeNetworks as ExecutorNetworks, NodeNetworking } from '@skep/executor';
import type { NetworkTablesSink } from '@skep/member';
import {
  fromUpdate,
  GossipCorrections,
  GossipPublisher,
  GossipSource,
  type Network,
  TablesKeeper,
  type TablesView,
  type TaskAnnouncer,
  VXLAN_PORT_DEFAULT,
} from '@skep/network';
import {
  type Cancel,
  type Clock,
  type Disk,
  errorMessage,
  type Logger,
  type Random,
} from '@skep/platform';
import type { NetworksUpdate } from '@skep/wire/skep';
import type { SessionMessage } from '@skep/wire/swarmkit';
import type { SwarmMembership } from '../membership.js';
import { type MeasuredGossip, SwarmGossip } from './swarm-gossip.js';

export interface NodeNetworksOptions {
  network: Network;
  disk: Disk;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Below exec-root: gone after a reboot, as the kernel's state is. */
  directory: string;
}

/**
 * Brings together who knows of this node's swarm networks (managers, gossip, the membership) and the room that
 * makes them.
 */
export class NodeNetworks implements ExecutorNetworks, NetworkTablesSink {
  readonly #options: NodeNetworksOptions;
  readonly #keeper: TablesKeeper;
  readonly #gossip: SwarmGossip;
  readonly #corrections: GossipCorrections;
  /** Fills the tables where managers do not. */
  readonly #source: GossipSource;
  readonly #publisher: GossipPublisher;
  /** Empty while this node is in no swarm. */
  #nodeId = '';
  #membership: SwarmMembership | undefined;
  #unfollow: Cancel = () => {};
  /** Of this swarm, as its managers say: tunnels of an earlier run stay as they are until then. */
  #vxlanPort: number | undefined;
  #isMember = false;
  /** Whether managers tell of networks; undefined while that is not known. */
  #isTold: boolean | undefined;

  constructor(options: NodeNetworksOptions) {
    const { network, clock } = options;
    this.#options = options;
    this.#keeper = new TablesKeeper(options);
    this.#gossip = new SwarmGossip({ ...options, lately: () => dockerEngines(network.tables) });
    const { gossip } = this.#gossip;
    const nodeId = () => this.#nodeId;
    const tunnelAddress = () => this.#membership?.dataPathAddress() ?? '';
    const { tables } = network;
    this.#corrections = new GossipCorrections({ gossip, tables });
    this.#source = new GossipSource({ tables, gossip, clock, nodeId, tunnelAddress });
    network.serveContainers(this.#source);
    const managersTell = () => this.#isTold !== false;
    this.#publisher = new GossipPublisher({ gossip, nodeId, managersTell });
    tables.addReader(this.#publisher);
    gossip.onChange(() => this.#correct());
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
    this.#unfollow = membership.onChange(() => this.#onMembership());
  }

  /** To be called before the membership ends with the daemon: its networks go on without it. */
  unfollow(): void {
    this.#unfollow();
  }

  /** Once the membership of the last run has been taken up: there may be none. */
  settle(): void {
    this.#isMember = true;
    this.#onMembership();
  }

  /** What gossip counts; undefined while this node takes no part in any. */
  get gossip(): MeasuredGossip | undefined {
    return this.#gossip.measured;
  }

  /** What a manager says at the beginning of a session, and whenever it changes. */
  onSession(message: SessionMessage): void {
    this.#gossip.locate(this.#membership?.nodeAddress() ?? '');
    this.#gossip.follow(message);
    this.#work(this.#options.network.encryption.setKeys(message.networkBootstrapKeys));
  }

  async configure({ attachments, vxlanPort }: NodeNetworking): Promise<void> {
    this.#vxlanPort = vxlanPort || VXLAN_PORT_DEFAULT;
    await this.#configureDataPath();
    await this.#source.setNetworks(attachments);
  }

  whenReady(networkId: string, signal: AbortSignal): Promise<unknown> {
    return this.#options.network.overlays.whenReady(networkId, signal);
  }

  async update(update: NetworksUpdate): Promise<void> {
    this.#setTold(true);
    await this.#options.network.tables.update(this.#corrections.amend(fromUpdate(update)));
  }

  /** What is known stays as it is: the kernel goes on. */
  lost(): void {}

  /** The manager is a Docker Engine: this node knows what it is attached to, and gossip the rest. */
  unsupported(): void {
    this.#setTold(false);
  }

  /** Ends with the daemon: writes what is not written yet. */
  async close(): Promise<void> {
    await this.#gossip.close();
    await this.#keeper.flush();
  }

  #setTold(isTold: boolean): void {
    if (this.#isTold === isTold) return;
    this.#isTold = isTold;
    if (isTold) this.#source.stop();
    else this.#source.start();
    this.#publisher.reconsider(this.#options.network.tables);
    this.#announce();
  }

  #announce(): void {
    const { traffic } = this.#options.network;
    const membership = this.#membership;
    if (!this.#isMember || !membership) traffic.announceThrough(undefined);
    else traffic.announceThrough(this.#isTold === false ? this.#source : announcerOf(membership));
  }

  #onMembership(): void {
    const membership = this.#membership;
    if (!membership) return;
    const isMember = membership.localNodeState() !== 'inactive';
    const hasLeft = this.#isMember && !isMember;
    this.#isMember = isMember;
    this.#announce();
    if (isMember) this.#gossip.locate(membership.nodeAddress());
    this.#identify(membership.nodeId());
    this.#work(hasLeft ? this.#forget() : this.#configureDataPath());
  }

  /** Nobody waits for this. */
  #work(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#options.logger.error({ error: errorMessage(error) }, 'networks not followed');
    });
  }

  /** The id may be known only after a manager, or the last run, has told of networks. */
  #identify(nodeId: string): void {
    if (nodeId === '' || nodeId === this.#nodeId) return;
    this.#nodeId = nodeId;
    this.#publisher.identified(this.#options.network.tables);
    this.#source.identified();
  }

  /** What Docker Engines say of themselves, in tables that a manager filled. */
  #correct(): void {
    if (this.#isTold !== true) return;
    const corrections = this.#corrections.corrections();
    if (corrections.nodes.length + corrections.endpoints.length === 0) return;
    void this.#options.network.tables.update(corrections);
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
    this.#isTold = undefined;
    this.#nodeId = '';
    this.#source.forget();
    await this.#gossip.leave();
    const nothing = { networks: [], nodes: [], services: [], endpoints: [], gone: [] };
    const { encryption, tables } = this.#options.network;
    await tables.update({ version: 0n, complete: true, ...nothing });
    await encryption.setKeys([]);
    await this.#keeper.remove();
  }
}

/** Addresses of the Docker Engines in this node's networks: gossip is for them. */
function dockerEngines(tables: TablesView): string[] {
  const nodes = tables.networks().flatMap(({ id }) => tables.nodes(id));
  const engines = nodes.filter(({ ownAgent, tunnelAddress }) => !ownAgent && tunnelAddress !== '');
  return [...new Set(engines.map(({ tunnelAddress }) => tunnelAddress))];
}

function announcerOf(membership: SwarmMembership): TaskAnnouncer {
  return {
    // Managers see in its status that a task runs.
    activate: async () => {},
    withdraw: (taskId, signal) => membership.withdraw(taskId, signal),
    spreadMs: 0,
  };
}
