import type { NodeObject, TaskObject } from '@skep/wire';
import type { GenericResource } from '@skep/wire/swarmkit';
import { type Demand, demandOf, isActive } from './demand.js';
import { FailureMemory } from './failures.js';
import { GenericStock } from './generic.js';

interface Held {
  task: TaskObject;
  demand: Demand;
}

/** A node as the scheduler sees it: what is free on it and what runs there. */
export class NodeInfo {
  /** Place among the nodes: decides between equals, so that the same input gives the same plan. */
  readonly order: number;
  readonly failures = new FailureMemory();
  readonly #held = new Map<string, Held>();
  readonly #activeOfService = new Map<string, number>();
  readonly #hostPorts = new Map<string, number>();
  readonly #onMoved: (node: NodeInfo) => void;
  #node: NodeObject;
  #generic: GenericStock | undefined;
  #nanoCpusUsed = 0;
  #memoryBytesUsed = 0;
  #active = 0;

  /** `onMoved` hears when {@link active} has changed. */
  constructor(node: NodeObject, order: number, onMoved: (node: NodeInfo) => void = () => {}) {
    this.#node = node;
    this.order = order;
    this.#onMoved = onMoved;
  }

  get id(): string {
    return this.#node.id;
  }

  get node(): NodeObject {
    return this.#node;
  }

  /** Tasks that shall run here. */
  get active(): number {
    return this.#active;
  }

  /** Tasks without a service are not spread against each other: there are none of theirs. */
  activeOfService(serviceId: string): number {
    return this.#activeOfService.get(serviceId) ?? 0;
  }

  setNode(node: NodeObject): void {
    this.#node = node;
    this.#generic = undefined;
  }

  /** Whether the reservations fit into what is free. */
  fits(demand: Demand): boolean {
    const { nanoCpus, memoryBytes, generic } = demand;
    if (nanoCpus > this.#nanoCpusFree() || memoryBytes > this.#memoryBytesFree()) return false;
    return generic.length === 0 || this.#stock().lacks(generic).length === 0;
  }

  /** What of the reservations does not fit: `CPUs`, `memory`, or a kind of generic resource. */
  shortOf({ nanoCpus, memoryBytes, generic }: Demand): string[] {
    const short = this.#stock().lacks(generic);
    if (memoryBytes > this.#memoryBytesFree()) short.unshift('memory');
    if (nanoCpus > this.#nanoCpusFree()) short.unshift('CPUs');
    return short;
  }

  #nanoCpusFree(): number {
    return Number(this.#node.description?.resources?.nanoCpus ?? 0n) - this.#nanoCpusUsed;
  }

  #memoryBytesFree(): number {
    return Number(this.#node.description?.resources?.memoryBytes ?? 0n) - this.#memoryBytesUsed;
  }

  hasHostPort(ports: readonly string[]): boolean {
    return ports.some((port) => this.#hostPorts.has(port));
  }

  /** What a task would get of the generic resources it asks for. */
  pickGeneric(demand: Demand): GenericResource[] {
    return demand.generic.length === 0 ? [] : this.#stock().pick(demand.generic);
  }

  has(taskId: string): boolean {
    return this.#held.has(taskId);
  }

  /** Adds a task, or takes the present form of one that is here. */
  put(task: TaskObject, demand?: Demand): void {
    const held = this.#held.get(task.id);
    if (held && takeTheSame(held.task, task)) {
      held.task = task;
      return;
    }
    const takes = demand ?? demandOf(task);
    if (held) this.#account(held.task, held.demand, -1);
    this.#held.set(task.id, { task, demand: takes });
    this.#account(task, takes, 1);
  }

  /** Removes a task; false when it was not here. */
  drop(taskId: string): boolean {
    const held = this.#held.get(taskId);
    if (!held) return false;
    this.#held.delete(taskId);
    this.#account(held.task, held.demand, -1);
    return true;
  }

  #account(task: TaskObject, demand: Demand, sign: 1 | -1): void {
    this.#nanoCpusUsed += sign * demand.nanoCpus;
    this.#memoryBytesUsed += sign * demand.memoryBytes;
    for (const port of demand.hostPorts) add(this.#hostPorts, port, sign);
    if (task.assignedGenericResources.length > 0) this.#generic = undefined;
    if (!isActive(task)) return;
    this.#active += sign;
    if (task.serviceId) add(this.#activeOfService, task.serviceId, sign);
    this.#onMoved(this);
  }

  #stock(): GenericStock {
    if (this.#generic) return this.#generic;
    this.#generic = new GenericStock(this.#node.description?.resources?.generic);
    for (const { task } of this.#held.values()) this.#generic.take(task.assignedGenericResources);
    return this.#generic;
  }
}

/** Whether two forms of a task, whose parts never change in place, take the same of their node. */
function takeTheSame(a: TaskObject, b: TaskObject): boolean {
  return (
    a.spec === b.spec &&
    a.endpoint === b.endpoint &&
    a.assignedGenericResources === b.assignedGenericResources &&
    isActive(a) === isActive(b)
  );
}

function add(counts: Map<string, number>, key: string, delta: number): void {
  const count = (counts.get(key) ?? 0) + delta;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
