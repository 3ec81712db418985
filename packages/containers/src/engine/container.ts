import type { Cancel } from '@skep/platform';
import type { WaitResult } from '../contract/engine.js';
import type { HealthMonitor } from '../health/monitor.js';
import type { ContainerLog } from '../logs/container-log.js';
import type { ContainerRecord, ContainerStatus } from '../records/record.js';
import type { ProcessStreams } from '../stdio/process-streams.js';
import { OperationQueue } from './operation-queue.js';

type Waiter = (result: WaitResult) => void;

/** A container in memory: its two records and what hangs on a running one. */
export class Container {
  readonly record: ContainerRecord;
  status: ContainerStatus;
  readonly log: ContainerLog;
  /** Starts, exits and removals, one at a time. */
  readonly queue = new OperationQueue();
  /** The streams of the current run, or of the next one when a client attached before the start. */
  streams: ProcessStreams | undefined;
  monitor: HealthMonitor | undefined;
  /** Execs that run or ran in the current run. */
  readonly execIds = new Set<string>();
  removing = false;
  lastRestartDelayMs = 0;
  cancelRestart: Cancel | undefined;
  readonly #exitWaiters = new Set<Waiter>();
  readonly #removalWaiters = new Set<Waiter>();

  constructor(options: { record: ContainerRecord; status: ContainerStatus; log: ContainerLog }) {
    this.record = options.record;
    this.status = options.status;
    this.log = options.log;
  }

  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  set name(name: string) {
    this.record.name = name;
  }

  get running(): boolean {
    return this.status.state.Running && !this.status.state.Restarting;
  }

  /** Calls back at the next exit. */
  onExit(waiter: Waiter): () => void {
    this.#exitWaiters.add(waiter);
    return () => void this.#exitWaiters.delete(waiter);
  }

  /** Calls back when the container is gone. */
  onRemoved(waiter: Waiter): () => void {
    this.#removalWaiters.add(waiter);
    return () => void this.#removalWaiters.delete(waiter);
  }

  get exitResult(): WaitResult {
    const { ExitCode, Error: message } = this.status.state;
    return { StatusCode: ExitCode, ...(message ? { Error: { Message: message } } : {}) };
  }

  announceExit(): void {
    this.#tell(this.#exitWaiters, this.exitResult);
  }

  /** Who waited for the removal is told of what went wrong with that, not with the container. */
  announceRemoval(): void {
    this.#tell(this.#exitWaiters, this.exitResult);
    this.#tell(this.#removalWaiters, { StatusCode: this.exitResult.StatusCode });
  }

  #tell(waiters: Set<Waiter>, result: WaitResult): void {
    const told = [...waiters];
    waiters.clear();
    for (const waiter of told) waiter(result);
  }
}
