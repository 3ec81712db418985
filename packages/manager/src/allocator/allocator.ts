import { invariant } from '@skep/platform';
import type { Change, ChangeOf, Commit } from '@skep/store';
import { TaskState } from '@skep/wire/swarmkit';
import type { ControlLoop } from '../contract.js';
import type { LoopOptions } from '../loop/planner.js';
import { Reconciler } from '../loop/reconciler.js';
import type { AddressPlan } from './address-plan.js';
import { ALLOCATE } from './allocate.js';
import { ITEMS_PER_TURN_MAX, PLACED_RETRY_MS, RETRY_MS } from './limits.js';
import { isIngress } from './network-plan.js';
import { networksInOrder, rebuildPlan } from './rebuild.js';
import { type Kind, Worklist } from './worklist.js';

export interface AllocatorOptions extends LoopOptions {
  /** Subnets in use on this manager's host, as CIDRs: new networks keep clear of them. */
  hostSubnets?(): readonly string[];
}

/**
 * Gives networks their subnets, services their virtual addresses and published ports, nodes and tasks their
 * addresses, and sends tasks on from NEW to PENDING. What it knows is derived from the store at start, and
 * again whenever the outcome of a write is not known.
 */
export class Allocator implements ControlLoop {
  readonly #options: AllocatorOptions;
  readonly #worklist = new Worklist();
  readonly #reconciler: Reconciler<'work' | 'retry' | 'placed'>;
  #plan: AddressPlan | undefined;
  #unsubscribe: (() => void) | undefined;
  #isRetrySoon = false;

  constructor(options: AllocatorOptions) {
    this.#options = options;
    this.#reconciler = new Reconciler({
      name: 'allocator',
      ...options,
      reconcile: (key) => (key === 'work' ? this.#work() : this.#retry(key)),
    });
  }

  start(): void {
    invariant(!this.#unsubscribe, 'the allocator is started twice');
    this.#plan = undefined;
    this.#isRetrySoon = false;
    this.#unsubscribe = this.#options.store.subscribe((commit) => this.#onCommit(commit));
    this.#reconciler.start();
    this.#reconciler.mark('work');
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    await this.#reconciler.stop();
    this.#worklist.clear();
  }

  /** All that is held now, one line each: for tests and for people. */
  describe(): string[] {
    return this.#plan?.describe() ?? [];
  }

  async #work(): Promise<void> {
    try {
      this.#plan ??= await this.#rebuild();
      for (let kind = this.#worklist.next(); kind; kind = this.#worklist.next()) {
        this.#plan ??= await this.#rebuild();
        await this.#allocate(this.#plan, kind);
      }
    } catch (error) {
      this.#plan = undefined;
      throw error;
    }
    if (this.#worklist.hasWaiting()) this.#reconciler.markAfter('retry', RETRY_MS);
  }

  async #retry(key: 'retry' | 'placed'): Promise<void> {
    if (key === 'placed') this.#isRetrySoon = false;
    if (this.#worklist.wake()) this.#reconciler.mark('work');
  }

  async #allocate(plan: AddressPlan, kind: Kind): Promise<void> {
    const { store, clock, log } = this.#options;
    const hostSubnets = () => this.#options.hostSubnets?.() ?? [];
    const context = { plan, worklist: this.#worklist, hostSubnets, clock, log };
    const ids = this.#worklist.take(kind, ITEMS_PER_TURN_MAX);
    await store.batch(ids, (tx, id) => ALLOCATE[kind](context, tx, id));
  }

  /** Reads what is held from all objects, those under way included, and marks all that may lack something. */
  async #rebuild(): Promise<AddressPlan> {
    this.#worklist.clear();
    return this.#options.store.update((tx) => {
      for (const { id } of networksInOrder(tx)) this.#worklist.mark('network', id);
      for (const { id } of tx.all('service')) this.#worklist.mark('service', id);
      for (const { id } of tx.all('node')) this.#worklist.mark('node', id);
      for (const { id, status } of tx.all('task')) {
        if (status.state === TaskState.NEW) this.#worklist.mark('task', id);
      }
      return rebuildPlan(tx, this.#options.log);
    });
  }

  #onCommit({ index, changes }: Commit): void {
    if (index === 0n) this.#plan = undefined;
    for (const change of changes) this.#onChange(change);
    if (!this.#plan || this.#worklist.next()) this.#reconciler.mark('work');
  }

  #onChange(change: Change): void {
    switch (change.table) {
      case 'network':
        this.#onNetwork(change);
        break;
      case 'service':
        this.#onService(change);
        break;
      case 'node':
        this.#onNode(change);
        break;
      case 'task':
        this.#onTask(change);
        break;
      case 'cluster':
        if (change.kind === 'create') this.#plan = undefined;
    }
  }

  #onNetwork({ kind, object }: ChangeOf<'network'>): void {
    if (kind === 'remove') {
      this.#worklist.forget('network', object.id);
      this.#freed(this.#plan?.releaseNetwork(object.id));
    } else {
      this.#worklist.mark('network', object.id);
      this.#worklist.wake();
    }
    if (!isIngress(object)) return;
    for (const { id } of this.#options.store.view.all('node')) this.#worklist.mark('node', id);
  }

  #onService({ kind, object, before }: ChangeOf<'service'>): void {
    if (kind === 'remove') {
      this.#worklist.forget('service', object.id);
      this.#freed(this.#plan?.release(`service/${object.id}`));
      this.#freed(this.#plan?.releasePorts(object.id));
    } else if (before?.spec !== object.spec) {
      this.#worklist.mark('service', object.id);
    } else if (before.endpoint !== object.endpoint) {
      this.#worklist.wake();
    }
  }

  #onNode({ kind, object }: ChangeOf<'node'>): void {
    if (kind === 'create') this.#worklist.mark('node', object.id);
    if (kind !== 'remove') return;
    this.#worklist.forget('node', object.id);
    this.#freed(this.#plan?.release(`node/${object.id}`));
  }

  #onTask({ kind, object, before }: ChangeOf<'task'>): void {
    const { id, nodeId, status } = object;
    const ended = kind === 'remove' || status.state > TaskState.RUNNING;
    if (ended) {
      this.#worklist.forget('task', id);
      this.#freed(this.#plan?.release(`task/${id}`));
    } else if (status.state === TaskState.NEW && before?.desiredState !== object.desiredState) {
      this.#worklist.mark('task', id);
    }
    // A task made for one node has it before it has networks.
    const placed = before?.nodeId !== nodeId || before.networks.length !== object.networks.length;
    if (nodeId && object.networks.length > 0 && (ended || placed)) {
      this.#worklist.mark('node', nodeId);
      if (this.#worklist.hasWaiting()) this.#retrySoon();
    }
  }

  #retrySoon(): void {
    if (this.#isRetrySoon) return;
    this.#isRetrySoon = true;
    this.#reconciler.markAfter('placed', PLACED_RETRY_MS);
  }

  #freed(freed: boolean | undefined): void {
    if (freed) this.#worklist.wake();
  }
}
