import { create, equals } from '@bufbuild/protobuf';
import { type Clock, Code, type InvariantError, type Logger, RpcError } from '@skep/platform';
import type { Store, Transaction } from '@skep/store';
import { timestampFromMs } from '@skep/wire';
import { type TaskStatus, TaskStatusSchema } from '@skep/wire/swarmkit';
import { Reconciler } from '../loop/reconciler.js';
import { STATUS_QUEUE_MAX, STATUSES_PER_TURN_MAX } from './limits.js';

export interface StatusWriterOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  /** Id of this manager's node: who applied a status. */
  nodeId: string;
  onFatal?(error: InvariantError): void;
}

/**
 * Writes reported statuses. What arrives while a write is under way makes up the next one, so that many
 * reports share an entry and a lone one waits for nothing. The newest report on a task counts.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #reconciler: Reconciler<'write'>;
  #queued = new Map<string, TaskStatus>();
  #roomWaiters: (() => void)[] = [];
  #stopped = true;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#reconciler = new Reconciler({
      name: 'status writer',
      ...options,
      reconcile: () => this.#write(),
    });
  }

  start(): void {
    this.#stopped = false;
    this.#reconciler.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakeWaiters();
    await this.#reconciler.stop();
    this.#queued.clear();
  }

  /** Queues a report; resolves once there is room for it. It is not written yet then. */
  async add(taskId: string, status: TaskStatus): Promise<void> {
    while (this.#queued.size >= STATUS_QUEUE_MAX && !this.#queued.has(taskId)) {
      if (this.#stopped) break;
      await new Promise<void>((resolve) => void this.#roomWaiters.push(resolve));
    }
    if (this.#stopped) throw new RpcError(Code.ABORTED, 'dispatcher is stopped');
    this.#queue(taskId, status);
    this.#reconciler.mark('write');
  }

  /** Keeps the further of two reports on a task: states only go forward. */
  #queue(taskId: string, status: TaskStatus): void {
    const queued = this.#queued.get(taskId);
    if (!queued || status.state >= queued.state) this.#queued.set(taskId, status);
  }

  async #write(): Promise<void> {
    const some = [...this.#queued].slice(0, STATUSES_PER_TURN_MAX);
    if (some.length === 0) return;
    for (const [taskId] of some) this.#queued.delete(taskId);
    try {
      await this.#options.store.batch(some, (tx, one) => this.#apply(tx, ...one));
    } catch (error) {
      const newer = this.#queued;
      this.#queued = new Map(some);
      for (const [taskId, status] of newer) this.#queue(taskId, status);
      throw error;
    }
    this.#wakeWaiters();
    if (this.#queued.size > 0) this.#reconciler.mark('write');
  }

  #apply(tx: Transaction, taskId: string, reported: TaskStatus): void {
    const task = tx.get('task', taskId);
    if (!task || reported.state < task.status.state) return;
    const { appliedBy, appliedAt } = task.status;
    const same = create(TaskStatusSchema, { ...reported, appliedBy });
    if (appliedAt) same.appliedAt = appliedAt;
    if (equals(TaskStatusSchema, task.status, same)) return;
    const status = create(TaskStatusSchema, {
      ...reported,
      appliedBy: this.#options.nodeId,
      appliedAt: timestampFromMs(this.#options.clock.now()),
    });
    tx.update('task', { ...task, status });
  }

  #wakeWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }
}
