import { create } from '@bufbuild/protobuf';
import { SimClock, SimRandom, settle, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import type { NodeObject, ServiceObject, TaskObject } from '@skep/wire';
import {
  EncryptionKeySchema,
  type NodeSpec_Availability,
  RemoveNodeRequestSchema,
  type ServiceSpec,
} from '@skep/wire/swarmkit';
import { Allocator } from '../allocator/index.js';
import type { ControlLoop } from '../contract.js';
import { createControl } from '../control/index.js';
import { Dispatcher } from '../dispatcher/index.js';
import { ConstraintEnforcer } from '../enforcer/enforcer.js';
import type { LoopOptions } from '../loop/planner.js';
import { Orchestrator } from '../orchestrator/orchestrator.js';
import { TaskReaper } from '../reaper/reaper.js';
import { RestartSupervisor } from '../restart/supervisor.js';
import { SimMembers } from '../role/members.sim.js';
import { RoleManager } from '../role/role-manager.js';
import { Scheduler } from '../scheduler/index.js';
import { Updater } from '../updater/updater.js';
import { SimAgent } from './agent.sim.js';
import { clusterOf, ingressOf, nodeOf, serviceOf } from './objects.sim.js';

/** Time between two looks at a running cluster. */
const STEP_MS = 100;

/**
 * All that a leader does, on one store, with agents that follow the dispatcher's protocol: what nodes live
 * through, with leaders that come and go.
 */
export class SimLeader {
  readonly clock = new SimClock();
  readonly store: Store;
  readonly proposer: SimProposer;
  readonly agents = new Map<string, SimAgent>();
  #leaders = 0;
  #dispatcher: Dispatcher | undefined;
  #loops: ControlLoop[] = [];

  constructor() {
    this.store = new Store({ clock: this.clock, random: new SimRandom(1), log: silentLogger });
    this.proposer = new SimProposer(this.store);
    this.store.attach(this.proposer);
  }

  /** A cluster with an ingress network and these nodes, all of them up and known. */
  static async of(...nodeIds: string[]): Promise<SimLeader> {
    const sim = new SimLeader();
    const networkBootstrapKeys = [create(EncryptionKeySchema, { lamportTime: 9n })];
    const spec = { orchestration: { taskHistoryRetentionLimit: 5n } };
    const rootCa = { caCert: new TextEncoder().encode('a root\r\n') };
    await sim.store.update((tx) => {
      tx.create('cluster', clusterOf({ networkBootstrapKeys, rootCa, spec }));
      tx.create('network', ingressOf());
      for (const id of nodeIds) tx.create('node', nodeOf(id));
    });
    sim.lead();
    for (const id of nodeIds) sim.agent(id).start();
    await sim.run(1_000);
    return sim;
  }

  agent(nodeId: string): SimAgent {
    const known = this.agents.get(nodeId);
    if (known) return known;
    const address = `10.0.0.${this.agents.size + 1}`;
    const agent = new SimAgent({
      nodeId,
      address,
      clock: this.clock,
      dispatcher: () => this.#dispatcher,
    });
    this.agents.set(nodeId, agent);
    return agent;
  }

  get leaderId(): string {
    return `m${this.#leaders}`;
  }

  /** A new leader starts, which knows nothing but the store. */
  lead(): void {
    const nodeId = `m${++this.#leaders}`;
    const options: LoopOptions = {
      store: this.store,
      clock: this.clock,
      random: new SimRandom(this.#leaders * 7919),
      log: silentLogger,
      onFatal: (error) => {
        throw error;
      },
    };
    const managers = () => [{ nodeId, addr: '10.0.0.100:2377', isReachable: true }];
    this.#dispatcher = new Dispatcher({ ...options, nodeId, managers });
    this.#loops = [
      this.#dispatcher,
      new Allocator(options),
      new Scheduler(options),
      new Orchestrator(options),
      new RestartSupervisor(options),
      new Updater(options),
      new ConstraintEnforcer(options),
      new TaskReaper(options),
      new RoleManager({ ...options, members: new SimMembers() }),
    ];
    for (const loop of this.#loops) loop.start();
  }

  /** The leader goes; `clean` when it may still write that it sends its nodes away. */
  async resign(clean = true): Promise<void> {
    this.#dispatcher = undefined;
    if (!clean) this.proposer.refuse(new Error('this manager does not lead'));
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    this.proposer.refuse(undefined);
    this.#loops = [];
  }

  /** Lets time pass; `each` is called after every step. */
  async run(durationMs: number, each: () => void = () => {}): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
      await this.clock.advance(STEP_MS);
      each();
    }
  }

  async addService(id: string, spec: Partial<ServiceSpec>): Promise<void> {
    const service = serviceOf(id);
    service.spec = { ...service.spec, ...spec } as ServiceObject['spec'];
    service.spec.annotations.name = id;
    await this.store.update((tx) => tx.create('service', service));
  }

  async changeService(
    id: string,
    change: (service: ServiceObject) => Partial<ServiceObject>,
  ): Promise<void> {
    await this.store.update((tx) => {
      const service = tx.get('service', id);
      if (service) tx.update('service', { ...service, ...change(service) });
    });
    await settle();
  }

  async setSpec(nodeId: string, change: Partial<NodeObject['spec']>): Promise<void> {
    await this.store.update((tx) => {
      const node = tx.get('node', nodeId);
      if (node) tx.update('node', { ...node, spec: { ...node.spec, ...change } });
    });
    await settle();
  }

  setAvailability(nodeId: string, availability: NodeSpec_Availability): Promise<void> {
    return this.setSpec(nodeId, { availability });
  }

  /** `docker node rm --force`. */
  async removeNode(nodeId: string): Promise<void> {
    const { store, clock } = this;
    const members = { list: () => [], canRemove: () => false };
    const random = new SimRandom(3);
    const control = createControl({ store, clock, random, members, newJoinToken: () => '' });
    await control.removeNode(create(RemoveNodeRequestSchema, { nodeId, force: true }));
  }

  nodeState(nodeId: string) {
    return this.store.view.get('node', nodeId)?.status.state;
  }

  tasks(serviceId = 's1'): TaskObject[] {
    return [...this.store.view.tasksOfService(serviceId)];
  }

  /** Where containers of the service run in truth: task ids by node. */
  containers(): Map<string, string[]> {
    const running = [...this.agents].map(([id, agent]) => [id, agent.running] as const);
    return new Map(running.filter(([, ids]) => ids.length > 0));
  }
}
