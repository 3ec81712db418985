import { join } from 'node:path';
import { type ExternalAuthority, generateJoinToken } from '@skep/ca';
import {
  type BootstrapOptions,
  bootstrap,
  type Control,
  Health,
  type LogBrokerService,
  RAFT_SERVICE,
  StoreWatch,
  type SwarmFlaws,
  type WatchService,
} from '@skep/manager';
import { invariant } from '@skep/platform';
import {
  type Entry,
  type KeyWrapping,
  notLeader,
  PeerQueues,
  RaftNode,
  type RaftStatus,
} from '@skep/raft';
import type { Channel, Dialer, Host, LeaderSource, Listener } from '@skep/rpc';
import { type ReadView, Store } from '@skep/store';
import type { MemberPlatform } from '../platform.js';
import { ManagerChannels } from './channels.js';
import { ClusterDuties } from './cluster-duties.js';
import { LeaderFinder } from './leader-finder.js';
import { LeaderRooms } from './leader-rooms.js';
import { Leadership } from './leadership.js';
import { managerMembers } from './members.js';
import { raftPeerClient } from './peers.js';
import { managerServices } from './services/index.js';
import { type UserFace, userFace } from './user-face.js';

/** What a new swarm is made of, apart from this manager's Raft id, which is not known before. */
export type Founding = Omit<BootstrapOptions, 'random' | 'node'> & {
  node: Omit<BootstrapOptions['node'], 'raftId'>;
};

export interface ManagerOptions extends MemberPlatform {
  nodeId: string;
  clusterId: string;
  /** `ip:port` to serve other nodes at. */
  listenAddress: string;
  /** `ip:port` they reach it at. */
  advertiseAddress: string;
  /** Raft's directory. */
  directory: string;
  dialer: Dialer;
  host: Host;
  external: ExternalAuthority;
  keyWrapping: KeyWrapping | undefined;
  entry: Entry;
  founding: Founding | undefined;
  /** Subnets in use on this manager's host, as CIDRs: new networks keep clear of them. */
  hostSubnets(): readonly string[];
  /** Known bugs, for the simulator. */
  swarmFlaws?: SwarmFlaws | undefined;
  /** Has this node's keys under the swarm's unlock key: its own, and by `rewrap` that of Raft's log. */
  protect(
    unlockKey: Uint8Array | undefined,
    version: bigint,
    rewrap: (change: { wrapping: KeyWrapping; rotate: boolean }) => Promise<void>,
  ): Promise<void>;
}

/** A manager: the store on its Raft, and the services it offers, by itself while it leads. */
export class Manager {
  readonly store: Store;
  readonly watch: WatchService;
  readonly #options: ManagerOptions;
  readonly #raft: RaftNode;
  readonly #health: Health;
  readonly #channels: ManagerChannels;
  readonly #leadership: Leadership;
  readonly #duties: ClusterDuties;
  readonly #finder: LeaderFinder<LeaderRooms | Channel>;
  readonly #listeners = new Set<() => void>();
  #listener: Listener | undefined;
  readonly control: Control;
  readonly logs: Pick<LogBrokerService, 'subscribeLogs'>;
  readonly unlockKey: UserFace['unlockKey'];

  private constructor(options: ManagerOptions) {
    const { clock, random, log, dialer } = options;
    this.#options = options;
    this.store = new Store({ clock, random, log });
    this.watch = new StoreWatch(this.store);
    this.#health = new Health();
    this.#channels = new ManagerChannels(dialer);
    this.#raft = new RaftNode({
      ...options,
      address: options.advertiseAddress,
      ...(options.keyWrapping ? { keyWrapping: options.keyWrapping } : {}),
      transport: (events) =>
        new PeerQueues({ client: raftPeerClient(dialer, clock), clock, events }),
    });
    this.store.attach(this.#raft);
    this.#raft.onChange(() => this.#changed());
    this.#awaitCluster();
    this.#leadership = new Leadership({
      raft: this.#raft,
      log,
      rooms: () => this.#newRooms(),
      prepare: () => this.#found(),
      onChange: () => this.#changed(),
    });
    this.#duties = new ClusterDuties({
      store: this.store,
      raft: this.#raft,
      log,
      protect: (key, version) =>
        options.protect(key, version, (change) =>
          this.#raft.rewrapKey(change.wrapping, change.rotate),
        ),
    });
    this.#finder = new LeaderFinder({
      clock,
      find: () => this.#leadership.rooms ?? this.#channelToLeader(),
      status: () => this.#raft.status,
      onChange: (listener) => this.onChange(listener),
    });
    const ownAddress = options.advertiseAddress;
    const face = userFace({ finder: this.#finder, ownAddress });
    this.control = face.control;
    this.logs = face.logs;
    this.unlockKey = face.unlockKey;
  }

  /**
   * Serves other nodes, then finds this manager's place in Raft. Rejects when the log cannot be read, or the
   * others do not take it in.
   */
  static async start(options: ManagerOptions): Promise<Manager> {
    const manager = new Manager(options);
    try {
      await manager.#start();
      return manager;
    } catch (error) {
      await manager.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { host, listenAddress, clusterId, entry } = this.#options;
    this.#listener = await host.serve({
      address: listenAddress,
      services: this.#services(),
      clusterId,
      isRefused: (nodeId) => this.#isRefused(nodeId),
    });
    // Before joining: the leader asks for it before it takes a manager in.
    this.#health.setServing(RAFT_SERVICE, true);
    await this.#raft.start(this.store, entry);
    this.#duties.start();
  }

  async stop(): Promise<void> {
    await this.#duties.stop();
    // The rooms go first: a leader that hands over tells its nodes to look for another manager.
    await this.#leadership.stop();
    this.#health.setServing(RAFT_SERVICE, false);
    await this.#raft.stop();
    await this.#listener?.close();
    this.#channels.close();
    this.#finder.close();
  }

  get view(): ReadView {
    return this.store.view;
  }

  get raftStatus(): RaftStatus {
    return this.#raft.status;
  }

  /** The leader's rooms, when this manager leads. */
  get rooms(): LeaderRooms | undefined {
    return this.#leadership.rooms;
  }

  /** The leader, while one is known and it is another. */
  get otherLeader(): { nodeId: string; address: string } | undefined {
    const leader = this.#raft.status.members.find(({ isLeader }) => isLeader);
    return leader?.nodeId === this.#options.nodeId ? undefined : leader;
  }

  /** Calls `listener` when leader, members or their reachability changed, or this manager was removed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#channels.keep(this.#raft.status.members.map(({ address }) => address));
    for (const listener of [...this.#listeners]) listener();
  }

  /** The swarm's objects coming in is a change that others wait for. */
  #awaitCluster(): void {
    const unsubscribe = this.store.subscribe(() => {
      if (this.store.view.count('cluster') === 0) return;
      unsubscribe();
      this.#changed();
    });
  }

  #channelToLeader(): Channel | undefined {
    const leader = this.otherLeader;
    return leader && this.#channels.to(leader.address);
  }

  /** Where calls for the leader go. */
  readonly #leaderSource: LeaderSource = {
    leader: (): 'self' | Channel | undefined => {
      return this.#leadership.rooms ? 'self' : this.#channelToLeader();
    },
    onChange: (listener) => this.onChange(listener),
  };

  #services() {
    const { clock, dialer, advertiseAddress } = this.#options;
    return managerServices({
      rooms: () => this.#mustLead(),
      leader: this.#leaderSource,
      ownAddress: advertiseAddress,
      raft: this.#raft,
      health: this.#health,
      watch: this.watch,
      clock,
      dialer,
    });
  }

  #mustLead(): LeaderRooms {
    const rooms = this.#leadership.rooms;
    if (rooms) return rooms;
    throw notLeader();
  }

  #newRooms(): LeaderRooms {
    const { clock, random, log, nodeId } = this.#options;
    const { store } = this;
    return new LeaderRooms({
      store,
      clock,
      random,
      log,
      nodeId,
      onFatal: this.#options.onFatal,
      members: managerMembers(this.#raft),
      external: this.#options.external,
      hostSubnets: () => this.#options.hostSubnets(),
      readBarrier: () => this.#raft.readBarrier(),
      flaws: this.#options.swarmFlaws,
      newJoinToken: () => generateJoinToken(rootCertificate(store.view), random),
    });
  }

  /** Writes what every swarm has; only in a new one. */
  async #found(): Promise<void> {
    const { founding, random } = this.#options;
    if (!founding) return;
    const node = { ...founding.node, raftId: this.#raft.status.raftId };
    await bootstrap(this.store, { ...founding, random, node });
  }

  #isRefused(nodeId: string): boolean {
    const [cluster] = this.store.view.all('cluster');
    return cluster?.blacklistedCertificates[nodeId] !== undefined;
  }

  /** Whether the swarm's objects are here and a leader is known. */
  get isReady(): boolean {
    const [cluster] = this.store.view.all('cluster');
    return cluster !== undefined && this.#leaderSource.leader() !== undefined;
  }
}

/** PEM of the root that tokens of this swarm carry the digest of. */
function rootCertificate(view: ReadView): Uint8Array {
  const [cluster] = view.all('cluster');
  invariant(cluster, 'a manager that leads has a cluster object');
  return cluster.rootCa.caCert;
}

/** Where Raft keeps its files, below the swarm's directory. */
export function raftDirectory(swarmDirectory: string): string {
  return join(swarmDirectory, 'raft');
}
