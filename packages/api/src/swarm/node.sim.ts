import type { Control, LogBrokerService, ManagerMember, WatchService } from '@skep/manager';
import { bootstrap, createControl, StoreWatch } from '@skep/manager';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import {
  RaftMemberStatus_Reachability,
  type SubscribeLogsMessage,
  type SubscribeLogsRequest,
} from '@skep/wire/swarmkit';
import { membershipError, unlockError } from './errors.js';
import type { LocalNodeState, SwarmInit, SwarmJoin, SwarmNode, SwarmNodeInfo } from './node.js';

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
  readonly #members: ManagerMember[] = [];
  #state: LocalNodeState = 'inactive';

  #newStore(): Store {
    const store = new Store({ clock: this.clock, random: this.random, log: silentLogger });
    store.attach(new SimProposer(store));
    return store;
  }

  localNodeState(): LocalNodeState {
    return this.#state;
  }

  nodeId(): string {
    return this.#state === 'active' ? 'node-one' : '';
  }

  nodeAddress(): string {
    return this.initialised?.advertiseAddress.replace(/:\d+$/, '') ?? '';
  }

  async init(request: SwarmInit): Promise<string> {
    this.initialised = request;
    this.#members.push({
      raftId: RAFT_ID,
      nodeId: 'node-one',
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
        id: 'node-one',
        raftId: RAFT_ID,
        address: request.advertiseAddress,
        availability: request.availability,
        certificate: new Uint8Array(),
      },
    });
    this.#become('active');
    return 'node-one';
  }

  async join(request: SwarmJoin): Promise<void> {
    this.joins.push(request);
  }

  async leave(): Promise<void> {
    this.store = this.#newStore();
    this.#become('inactive');
  }

  async unlock(): Promise<void> {
    throw unlockError('notLocked');
  }

  async unlockKey(): Promise<string> {
    return '';
  }

  control(): Control {
    this.#requireManager();
    return createControl({
      store: this.store,
      clock: this.clock,
      random: this.random,
      members: { list: () => this.#members, canRemove: () => false },
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
    const isManager = this.#state === 'active';
    const address = this.initialised?.advertiseAddress ?? '';
    return {
      controlAvailable: isManager,
      error: '',
      remoteManagers: isManager ? [{ nodeId: 'node-one', address }] : [],
    };
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  #requireManager(): void {
    if (this.#state !== 'active') throw membershipError('noSwarm');
  }

  #become(state: LocalNodeState): void {
    this.#state = state;
    for (const listener of this.listeners) listener();
  }
}
