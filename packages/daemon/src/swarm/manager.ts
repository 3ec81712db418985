import { join } from 'node:path';
import { generateJoinToken } from '@skep/ca';
import {
  Allocator,
  type BootstrapOptions,
  bootstrap,
  ConstraintEnforcer,
  type Control,
  type ControlLoop,
  createControl,
  Dispatcher,
  LogBroker,
  type LoopOptions,
  Orchestrator,
  RestartSupervisor,
  Scheduler,
  StoreWatch,
  TaskReaper,
  Updater,
} from '@skep/manager';
import { type Clock, type Disk, invariant, type Logger, type Random } from '@skep/platform';
import { SoloNode } from '@skep/raft';
import { Store } from '@skep/store';
import { RaftMemberStatus_Reachability } from '@skep/wire/swarmkit';
import type { SwarmState } from './state-file.js';

/** What the whole daemon works with. */
export interface Platform {
  clock: Clock;
  random: Random;
  disk: Disk;
  log: Logger;
  /** Something is broken that only a restart of the process can mend. */
  onFatal(error: unknown): void;
}

export interface ManagerOptions extends Platform {
  state: SwarmState;
  directory: string;
  /** What a new swarm is made of; absent when the log holds it already. */
  founding?: Omit<BootstrapOptions, 'random' | 'node'> & {
    node: Omit<BootstrapOptions['node'], 'raftId'>;
  };
}

/** A manager that leads: the store on its log, the control loops, and the services it offers. */
export class Manager {
  readonly store: Store;
  readonly control: Control;
  readonly dispatcher: Dispatcher;
  readonly logBroker: LogBroker;
  readonly watch: StoreWatch;
  readonly #raft: SoloNode;
  readonly #loops: readonly ControlLoop[];

  private constructor(options: ManagerOptions, raft: SoloNode, store: Store) {
    const { clock, random, state, log, onFatal } = options;
    const loop: LoopOptions = { store, clock, random, log, onFatal };
    this.#raft = raft;
    this.store = store;
    this.watch = new StoreWatch(store);
    this.logBroker = new LogBroker(loop);
    this.dispatcher = new Dispatcher({
      ...loop,
      nodeId: state.nodeId,
      managers: () => [{ nodeId: state.nodeId, addr: state.advertiseAddress }],
    });
    this.control = createControl({
      store,
      clock,
      random,
      members: soleMember(raft),
      newJoinToken: () => generateJoinToken(rootCertificate(store), random),
    });
    this.#loops = [
      this.dispatcher,
      this.logBroker,
      new Allocator(loop),
      new Scheduler(loop),
      new Orchestrator(loop),
      new RestartSupervisor(loop),
      new Updater(loop),
      new ConstraintEnforcer(loop),
      new TaskReaper(loop),
    ];
  }

  /** Recovers (or founds) the log, then takes up the work that the store shows. */
  static async start(options: ManagerOptions): Promise<Manager> {
    const { clock, random, disk, log, state, founding } = options;
    const store = new Store({ clock, random, log });
    const raft = new SoloNode({
      clock,
      random,
      disk,
      log,
      directory: join(options.directory, 'raft'),
      nodeId: state.nodeId,
      address: state.advertiseAddress,
      onFatal: options.onFatal,
    });
    await raft.start(store);
    store.attach(raft);
    if (founding) {
      const node = { ...founding.node, raftId: raft.status.raftId };
      await bootstrap(store, { ...founding, random, node });
    }
    const manager = new Manager(options, raft, store);
    for (const loop of manager.#loops) loop.start();
    return manager;
  }

  async stop(): Promise<void> {
    for (const loop of this.#loops.toReversed()) await loop.stop();
    await this.#raft.stop();
  }
}

/** PEM of the root that tokens of this swarm carry the digest of. */
function rootCertificate(store: Store): Uint8Array {
  const [cluster] = store.view.all('cluster');
  invariant(cluster, 'a manager that serves has a cluster object');
  return cluster.rootCa.caCert;
}

/** The only manager there is: always reachable, always leading, never to be removed. */
function soleMember(raft: SoloNode) {
  return {
    list: () =>
      raft.status.members.map(({ raftId, nodeId, address }) => ({
        raftId,
        nodeId,
        address,
        leader: true,
        reachability: RaftMemberStatus_Reachability.REACHABLE,
      })),
    canRemove: () => false,
  };
}
