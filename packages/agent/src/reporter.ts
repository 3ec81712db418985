import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { TaskState, type TaskStatus } from '@skep/wire/swarmkit';
import type { AgentLimits } from './limits.js';

export interface StatusUpdate {
  taskId: string;
  status: TaskStatus;
}

/** Sends statuses to the manager of the current session. */
export type SendStatuses = (updates: StatusUpdate[]) => Promise<void>;

export interface ReporterOptions {
  clock: Clock;
  logger: Logger;
  limits: AgentLimits;
}

/** Refusals that another try of the same update cannot change. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof RpcError &&
    [Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT].includes(error.code)
  );
}

/** Whether the swarm acts on a status: the task serves, has ended, or something is wrong with it. */
function isUrgent({ state, err }: TaskStatus): boolean {
  return state >= TaskState.RUNNING || err !== '';
}

/**
 * Brings statuses to the manager: one report on its way at a time, and whatever came meanwhile in the next
 * one. States on the way to RUNNING wait a moment for company, what the swarm acts on does not. Only the last status of a task waits, so that there are never more than the node has tasks. Without
 * a session everything waits.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #waiting = new Map<string, TaskStatus>();
  #send: SendStatuses | undefined;
  #sending = false;
  /** Aborts when the session changes: waiting for the old one to work again is pointless then. */
  #pause = new AbortController();
  /** Ends the wait for company. */
  #hurry = () => {};

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Number of tasks whose status the manager has not acknowledged, reports on their way aside. */
  get waiting(): number {
    return this.#waiting.size;
  }

  report(taskId: string, status: TaskStatus): void {
    this.#waiting.delete(taskId); // goes to the end: those that waited longest are sent first
    this.#waiting.set(taskId, status);
    if (isUrgent(status)) this.#hurry();
    this.#wake();
  }

  /** The task is no longer assigned; nobody wants to hear of it. */
  forget(taskId: string): void {
    this.#waiting.delete(taskId);
  }

  /** A session stands. Reports go through `send` until {@link detach}. */
  attach(send: SendStatuses): void {
    this.#send = send;
    this.#endPause();
    this.#wake();
  }

  detach(): void {
    this.#send = undefined;
    this.#endPause();
  }

  #endPause(): void {
    this.#pause.abort();
    this.#pause = new AbortController();
    this.#hurry();
  }

  #wake(): void {
    if (this.#sending || !this.#send) return;
    this.#sending = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // statuses of the same turn go together
    let retryMs = this.#options.limits.reportRetryMs;
    while (this.#send && this.#waiting.size > 0) {
      await this.#gather();
      retryMs = await this.#sendOnce(retryMs);
    }
    // In the turn of the last look: a status that came in a later one would be sent by nobody.
    this.#sending = false;
  }

  /** Lets states on the way wait, for something urgent at most {@link AgentLimits.reportDelayMsMax}. */
  async #gather(): Promise<void> {
    for (const status of this.#waiting.values()) if (isUrgent(status)) return;
    const { clock, limits } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(limits.reportDelayMsMax, resolve);
      this.#hurry = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Resolves the time to wait should the next attempt fail. Never rejects. */
  async #sendOnce(retryMs: number): Promise<number> {
    const { clock, limits } = this.#options;
    const send = this.#send;
    if (!send || this.#waiting.size === 0) return retryMs;
    const batch = this.#take();
    const error = await send(batch).then(
      () => undefined,
      (reason: unknown) => reason ?? new Error('unknown'),
    );
    if (error === undefined) return limits.reportRetryMs;
    if (isRefusal(error)) {
      await this.#separate(send, batch, error);
      return retryMs;
    }
    this.#putBack(batch);
    await clock.sleep(retryMs, this.#pause.signal).catch(() => {});
    return Math.min(2 * retryMs, limits.reconnectMaxMs);
  }

  #take(): StatusUpdate[] {
    const batch: StatusUpdate[] = [];
    for (const [taskId, status] of this.#waiting) {
      if (batch.length === this.#options.limits.reportBatchMax) break;
      batch.push({ taskId, status });
      this.#waiting.delete(taskId);
    }
    return batch;
  }

  /** Unless something newer waits. */
  #putBack(batch: readonly StatusUpdate[]): void {
    for (const { taskId, status } of batch) {
      if (!this.#waiting.has(taskId)) this.#waiting.set(taskId, status);
    }
  }

  /** One update of a batch is refused, which refuses them all: sends them singly and drops the bad ones. */
  async #separate(send: SendStatuses, batch: StatusUpdate[], refusal: unknown): Promise<void> {
    if (batch.length === 1) {
      const fields = { taskId: batch[0]?.taskId, error: errorMessage(refusal) };
      this.#options.logger.warn(fields, 'the manager refuses the status of a task');
      return;
    }
    for (const [index, update] of batch.entries()) {
      try {
        await send([update]);
      } catch (error) {
        if (!isRefusal(error)) return this.#putBack(batch.slice(index));
        await this.#separate(send, [update], error);
      }
    }
  }
}
