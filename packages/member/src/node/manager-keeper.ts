import { type Clock, errorMessage, InvariantError, type Logger } from '@skep/platform';
import { RESTART_DELAY_FIRST_MS, RESTART_DELAY_MAX_MS } from '../limits.js';
import type { Manager } from '../manager/manager.js';

export interface ManagerKeeperOptions {
  clock: Clock;
  log: Logger;
  /** Whether this node is a manager, by its certificate. */
  isWanted(): boolean;
  /** Starts one; rejects when it cannot. */
  start(signal: AbortSignal): Promise<Manager>;
  /** The manager was removed from Raft, or the node demoted: what it kept on disk is of no use. */
  erase(): Promise<void>;
  /** After a removal (monotonic ms): resolves when it is known whether the node is to be a manager again. */
  afterRemoval(sinceMs: number, signal: AbortSignal): Promise<void>;
  onChange(): void;
  onFatal(error: unknown): void;
}

/** Has a manager run for as long as this node is one, again and again should it fail. */
export class ManagerKeeper {
  readonly #options: ManagerKeeperOptions;
  readonly #abort = new AbortController();
  #manager: Manager | undefined;
  #error: string | undefined;
  #wake: () => void = () => {};
  #loop: Promise<void> | undefined;
  #settle: () => void = () => {};
  /** Resolves when the first manager runs, or could not be started. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: ManagerKeeperOptions) {
    this.#options = options;
  }

  /** The manager at work. */
  get manager(): Manager | undefined {
    return this.#manager;
  }

  /** Why none could be started the last time; undefined while one runs or none is wanted. */
  get error(): string | undefined {
    return this.#error;
  }

  /** Starts keeping; with a manager that runs already, goes on with that. */
  run(manager?: Manager): void {
    this.#loop = this.#keep(manager);
  }

  /** Looks again whether a manager is wanted. */
  wake(): void {
    this.#wake();
  }

  /** Resolves when none runs any more; what it kept on disk stays. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the node stops'));
    this.#wake();
    await this.#loop;
  }

  async #keep(first: Manager | undefined): Promise<void> {
    const { signal } = this.#abort;
    let running = first;
    let delayMs = RESTART_DELAY_FIRST_MS;
    while (!signal.aborted) {
      await this.#until(() => running !== undefined || this.#options.isWanted());
      if (signal.aborted) break;
      try {
        running ??= await this.#options.start(signal);
        delayMs = RESTART_DELAY_FIRST_MS;
        const manager = running;
        running = undefined;
        await this.#serve(manager);
      } catch (error) {
        if (error instanceof InvariantError) this.#options.onFatal(error);
        if (signal.aborted) break;
        this.#note(errorMessage(error));
        await this.#options.clock.sleep(delayMs, signal).catch(() => {});
        delayMs = Math.min(2 * delayMs, RESTART_DELAY_MAX_MS);
      }
    }
    await running?.stop();
    this.#manager = undefined;
  }

  /** Lets a manager work until it is not wanted, was removed, or the node stops. */
  async #serve(manager: Manager): Promise<void> {
    const { clock, isWanted, erase, afterRemoval } = this.#options;
    const { signal } = this.#abort;
    this.#manager = manager;
    this.#note(undefined);
    const forget = manager.onChange(() => {
      this.#wake();
      this.#options.onChange();
    });
    await this.#until(() => manager.raftStatus.isRemoved || !isWanted());
    forget();
    const isRemoved = manager.raftStatus.isRemoved;
    const endedMs = clock.monotonic();
    this.#manager = undefined;
    this.#options.onChange();
    await manager.stop();
    if (signal.aborted) return;
    await erase();
    if (isRemoved && isWanted()) await afterRemoval(endedMs, signal);
  }

  #note(error: string | undefined): void {
    if (error !== undefined) this.#options.log.warn({ error }, 'the manager could not be started');
    this.#error = error;
    this.#settle();
    this.#options.onChange();
  }

  /** Resolves when the condition holds at a {@link wake}, or the node stops. */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#abort.signal.aborted && !condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
