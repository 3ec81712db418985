import type { Control, LogBrokerService, ManagerMember, WatchService } from '@skep/manager';
import { bootstrap, createControl, StoreWatch } from '@skep/manager';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import {
  RaftMemberStatus_Reachability,
  type SubscribeLogsMessage,
  type SubscribeLogsRequest,
} from '@skep/wire/swarmkit';
import { MEMBERSHIP_TEXTS, membershipError, unlockError } from './errors.js';
import type {
  LocalNodeState,
  SwarmInit,
  SwarmJoin,
  SwarmManager,
  SwarmNode,
  SwarmNodeInfo,
} from './node.js';

const RAFT_ID = 7n;

/** A node of one, in memory: real control over a real store, and nothing that runs tasks. */
export class SimSwarmNode implements SwarmNode {
  readonly clock = new SimClock();
  readonly random = new SimRandom(5);
  readonly listeners = new Set<() => void>();
  /** Log messages the broker answers with, and the error it ends with. */
  logMessages: SubscribeLogsMessage[] = [];
  logError: Error | undefined;
  readonly subscriptions: SubscribeLogsRequest[] = [];
  readonly joins: SwarmJoin[] = [];
  initialised: SwarmInit | undefined;
  store = this.#newStore();
  /** The swarm's managers; tests add others and change what they are. */
  readonly members: ManagerMember[] = [];
  canRemoveMembers = false;
  /** The key the node is locked with, and the one `unlockKey` answers. */
  key = '';
  readonly left: boolean[] = [];
  readonly #id = 'node-one';
  #state: LocalNodeState = 'inactive';
  #refusal: MembershipRefusal | undefined = 'noSwarm';

  #newStore(): Store {
    const store = new Store({ clock: this.clock, random: this.random, log: silentLogger });
    store.attach(new SimProposer(store));
    return store;
  }

  localNodeState(): LocalNodeState {
    return this.#state;
  }

  nodeId(): string {
    return this.#state === 'active' ? this.#id : '';
  }

  nodeAddress(): string {
    return this.initialised?.advertiseAddress.replace(/:\d+$/, '') ?? '';
  }

  async init(request: SwarmInit): Promise<string> {
    this.initialised = request;
    this.members.push({
      raftId: RAFT_ID,
      nodeId: this.#id,
      address: request.advertiseAddress,
      leader: true,
      reachability: RaftMemberStatus_Reachability.REACHABLE,
    });
    await bootstrap(this.store, {
      random: this.random,
      clusterId: 'cluster-one',
      spec: request.spec,
      rootCa: {
        key: Buffer.from('the key of the root'),
        certificate: new Uint8Array(),
        certificateHash: 'sha256:00',
        joinTokens: { worker: 'SWMTKN-1-w', manager: 'SWMTKN-1-m' },
      },
      defaultAddressPool: request.defaultAddressPool,
      subnetSize: request.subnetSize,
      dataPathPort: request.dataPathPort,
      node: {
        id: this.#id,
        raftId: RAFT_ID,
        address: request.advertiseAddress,
        availability: request.availability,
        certificate: new Uint8Array(),
      },
    });
    this.become('active');
    return this.#id;
  }

  async join(request: SwarmJoin): Promise<void> {
    this.joins.push(request);
  }

  async leave(force: boolean): Promise<void> {
    this.left.push(force);
    this.store = this.#newStore();
    this.members.length = 0;
    this.become('inactive', 'noSwarm');
  }

  async unlock(key: string): Promise<void> {
    if (key !== this.key) throw unlockError('wrongKey');
    this.become('active');
  }

  async unlockKey(): Promise<string> {
    return this.key;
  }

  control(): Control {
    this.#requireManager();
    return createControl({
      store: this.store,
      clock: this.clock,
      random: this.random,
      members: { list: () => this.members, canRemove: () => this.canRemoveMembers },
      newJoinToken: () => 'SWMTKN-1-rotated',
    });
  }

  logs(): LogBrokerService {
    this.#requireManager();
    const { subscriptions, logMessages, logError } = this;
    return {
      async *subscribeLogs(request) {
        subscriptions.push(request);
        yield* logMessages;
        if (logError) throw logError;
      },
      async *listenSubscriptions() {},
      publishLogs: () => Promise.reject(new Error('nodes do not publish here')),
    };
  }

  watch(): WatchService {
    this.#requireManager();
    return new StoreWatch(this.store);
  }

  info(): SwarmNodeInfo {
    const isManager = this.#refusal === undefined || this.#refusal === 'notReady';
    return {
      isManager,
      controlAvailable: this.#refusal === undefined,
      managers: isManager ? this.members.map(seen) : [],
      error: this.#state === 'locked' ? MEMBERSHIP_TEXTS.locked : '',
      remoteManagers: this.members.map(({ nodeId, address }) => ({ nodeId, address })),
    };
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Puts the node in a state; with a refusal, it is no working manager there. */
  become(state: LocalNodeState, refusal?: MembershipRefusal): void {
    this.#state = state;
    this.#refusal = refusal;
    this.changed();
  }

  /** Tells that members may have changed. */
  changed(): void {
    for (const listener of this.listeners) listener();
  }

  #requireManager(): void {
    if (this.#refusal) throw membershipError(this.#refusal);
  }
}

type MembershipRefusal = keyof typeof MEMBERSHIP_TEXTS;

function seen({ nodeId, leader, reachability }: ManagerMember): SwarmManager {
  const isReachable = reachability === RaftMemberStatus_Reachability.REACHABLE;
  return { nodeId, isLeader: leader, isReachable };
}
