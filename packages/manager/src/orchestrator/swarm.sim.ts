import { create } from '@bufbuild/protobuf';
import { SimClock, SimRandom, settle, silentLogger } from '@skep/platform';
import { type ReadView, SimProposer, Store } from '@skep/store';
import {
  completeObject,
  type NodeObject,
  type ServiceObject,
  type TaskObject,
  timestampFromMs,
} from '@skep/wire';
import {
  ClusterSchema,
  NodeSchema,
  NodeStatus_State,
  ServiceSchema,
  type ServiceSpec,
  TaskState,
} from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import type { ControlLoop } from '../contract.js';
import { firstRun, updated } from '../control/service/revisions.js';
import { ConstraintEnforcer } from '../enforcer/enforcer.js';
import type { LoopOptions } from '../loop/planner.js';
import { TaskReaper } from '../reaper/reaper.js';
import { RestartSupervisor } from '../restart/supervisor.js';
import { Updater } from '../updater/updater.js';
import { isActive } from './global.js';
import { Orchestrator } from './orchestrator.js';
import { hasEnded, isLive, isLost } from './slot.js';

/** What a simulated node makes of a task: the last state it brings it to when it may run. */
export type Fate =
  | typeof TaskState.RUNNING
  | typeof TaskState.COMPLETE
  | typeof TaskState.FAILED
  | typeof TaskState.REJECTED
  /** Never gets beyond preparing. */
  | typeof TaskState.PREPARING;

/** Time between two steps of the simulated scheduler and nodes. */
const STEP_MS = 100;
/** Longer than any of the loops' own waits in tests. */
const QUIET_MS = 70_000;

/**
 * A swarm for tests: the loops of service orchestration on a store, with a scheduler and nodes that
 * do the simplest thing. Every step moves each task one stage on.
 */
export class SimSwarm {
  readonly clock = new SimClock();
  readonly store: Store;
  readonly proposer: SimProposer;
  /** What becomes of a task on its node. */
  fate: (task: TaskObject) => Fate = () => TaskState.RUNNING;
  /** Nodes that do not even stop what they were told to. */
  readonly frozen = new Set<string>();
  #loops: ControlLoop[] = [];
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
    const random = new SimRandom(seed);
    this.store = new Store({ clock: this.clock, random, log: silentLogger });
    this.proposer = new SimProposer(this.store);
    this.store.attach(this.proposer);
  }

  startLoops(): void {
    const options: LoopOptions = {
      store: this.store,
      clock: this.clock,
      random: new SimRandom(++this.#seed * 7919),
      log: silentLogger,
      onFatal: (error) => {
        throw error;
      },
    };
    this.#loops = [
      new Orchestrator(options),
      new RestartSupervisor(options),
      new Updater(options),
      new TaskReaper(options),
      new ConstraintEnforcer(options),
    ];
    for (const loop of this.#loops) loop.start();
  }

  async stopLoops(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    this.#loops = [];
  }

  /** As a change of leader would: new loops that know nothing but the store. */
  async restartLoops(): Promise<void> {
    await this.stopLoops();
    this.startLoops();
  }

  /** How many entries new loops write that find everything done: none, or one has work for ever. */
  async entriesOfNewLoops(): Promise<number> {
    const before = this.proposer.entries.length;
    await this.restartLoops();
    await this.run(QUIET_MS);
    return this.proposer.entries.length - before;
  }

  async addCluster(historyLimit: number): Promise<void> {
    const cluster = completeObject('cluster', create(ClusterSchema, { id: 'c1' }));
    cluster.spec.annotations.name = 'default';
    cluster.spec.orchestration.taskHistoryRetentionLimit = BigInt(historyLimit);
    await this.store.update((tx) => tx.create('cluster', cluster));
  }

  async addNodes(...ids: string[]): Promise<void> {
    const status = { state: NodeStatus_State.READY };
    await this.store.update((tx) => {
      for (const id of ids) {
        tx.create('node', completeObject('node', create(NodeSchema, { id, status })));
      }
    });
  }

  async changeNode(id: string, change: (node: NodeObject) => Partial<NodeObject>): Promise<void> {
    await this.store.update((tx) => {
      const node = tx.get('node', id) as NodeObject;
      tx.update('node', { ...node, ...change(node) });
    });
    await settle();
  }

  async addService(id: string, spec: Partial<ServiceSpec>): Promise<void> {
    const service = completeObject('service', create(ServiceSchema, { id }));
    service.spec = { ...service.spec, ...spec } as ServiceObject['spec'];
    service.spec.annotations = { ...service.spec.annotations, name: id };
    service.specVersion = service.meta.version;
    service.jobStatus = firstRun(service.spec, this.clock.now());
    await this.store.update((tx) => tx.create('service', service));
    await settle();
  }

  /** As the API's update does. */
  async changeService(id: string, change: Partial<ServiceSpec>): Promise<void> {
    await this.store.update((tx) => {
      const service = tx.get('service', id) as ServiceObject;
      const spec = { ...service.spec, ...change } as ServiceObject['spec'];
      tx.update('service', updated(service, spec, service.meta.version, this.clock.now()));
    });
    await settle();
  }

  service(id = 's1'): ServiceObject {
    return this.store.view.get('service', id) as ServiceObject;
  }

  tasks(serviceId = 's1'): TaskObject[] {
    return [...this.store.view.tasksOfService(serviceId)];
  }

  /** Tasks that are wanted and run. */
  running(serviceId = 's1'): TaskObject[] {
    return this.tasks(serviceId).filter(
      (task) => isLive(task) && task.status.state === TaskState.RUNNING,
    );
  }

  /** Reports a state for a task, as its node would. */
  async report(task: TaskObject, state: TaskState): Promise<void> {
    await this.store.update((tx) => {
      const now = tx.get('task', task.id);
      if (now && now.status.state < state) tx.update('task', this.#inState(now, state));
    });
    await settle();
  }

  /** Lets time pass; `each` is called after every step. */
  async run(ms: number, each: () => void = () => {}): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) {
      await this.#step();
      await this.clock.advance(STEP_MS);
      each();
    }
  }

  async #step(): Promise<void> {
    await this.store.update((tx) => {
      for (const task of [...tx.all('task')]) {
        const next = this.#next(tx, task);
        if (next) tx.update('task', next);
      }
    });
    await settle();
  }

  #next(view: ReadView, task: TaskObject): TaskObject | undefined {
    const { state } = task.status;
    if (hasEnded(task)) return undefined;
    if (state < TaskState.ASSIGNED) return isLive(task) ? this.#assign(view, task) : undefined;
    const node = view.get('node', task.nodeId);
    const silent = !node || node.status.state === NodeStatus_State.DOWN;
    if (silent || this.frozen.has(task.nodeId)) return undefined;
    if (!isLive(task)) return this.#inState(task, TaskState.SHUTDOWN);
    const fate = this.fate(task);
    if (state < TaskState.READY) {
      const early = fate === TaskState.PREPARING || fate === TaskState.REJECTED;
      const reached = early ? fate : TaskState.READY;
      return reached > state ? this.#inState(task, reached) : undefined;
    }
    if (task.desiredState < TaskState.RUNNING) return undefined;
    if (state < TaskState.RUNNING) return this.#inState(task, TaskState.RUNNING);
    return fate > TaskState.RUNNING ? this.#inState(task, fate) : undefined;
  }

  #assign(view: ReadView, task: TaskObject): TaskObject | undefined {
    const constraints = constraintsOf(task.spec.placement);
    const nodes = [...view.all('node')].filter(
      (node) => !isLost(node) && isActive(node) && nodeMatches(constraints, node),
    );
    const load = (id: string) => [...view.tasksOfNode(id)].filter(isLive).length;
    const best = nodes.sort((a, b) => load(a.id) - load(b.id) || (a.id < b.id ? -1 : 1))[0];
    const nodeId = task.nodeId || best?.id;
    return nodeId ? { ...this.#inState(task, TaskState.ASSIGNED), nodeId } : undefined;
  }

  #inState(task: TaskObject, state: TaskState): TaskObject {
    const now = timestampFromMs(this.clock.now());
    return { ...task, status: { ...task.status, state, timestamp: now, appliedAt: now } };
  }
}
