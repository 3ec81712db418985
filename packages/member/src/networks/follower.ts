import type { SwarmFlaws } from '@skep/manager';
import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import type { NetworksUpdate } from '@skep/wire/skep';
import { Acknowledgements } from './acknowledgements.js';
import type { NetworksLink, NetworkTablesSink } from './contract.js';
import { REOPEN_DELAY_FIRST_MS, REOPEN_DELAY_MAX_MS, WITHDRAW_TIMEOUT_MS } from './limits.js';
import { UpdateParts } from './update-parts.js';

export interface NetworksFollowerOptions {
  clock: Clock;
  log: Logger;
  sink: NetworkTablesSink;
  /** Known bugs, for the simulator. */
  flaws?: SwarmFlaws | undefined;
}

/** Follows the tables of whichever manager this node has its session with, for as long as it has. */
export class NetworksFollower {
  readonly #options: NetworksFollowerOptions;
  #link: NetworksLink | undefined;
  #abort = new AbortController();

  constructor(options: NetworksFollowerOptions) {
    this.#options = options;
  }

  /** A session has begun: its manager is followed from now on, instead of another. */
  follow(link: NetworksLink): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#link = link;
    void this.#run(link, this.#abort.signal);
  }

  /** The session over this link is over. */
  leave(link: NetworksLink): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#abort.abort();
    this.#options.sink.lost();
  }

  /**
   * Has a task of this node taken out of use on all nodes. Resolves when that is done, or enough time
   * has passed for it; rejects UNIMPLEMENTED where managers are of another kind, UNAVAILABLE without
   * one.
   */
  async withdraw(taskId: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    if (!this.#link) throw new RpcError(Code.UNAVAILABLE, 'no manager can be asked');
    const limit = new AbortController();
    const cancel = clock.after(WITHDRAW_TIMEOUT_MS, () => limit.abort());
    try {
      const either = AbortSignal.any([signal, limit.signal]);
      const { waitedInVainFor } = await this.#link.withdraw(taskId, either);
      if (waitedInVainFor.length === 0) return;
      log.warn({ taskId, nodes: waitedInVainFor }, 'nodes may still send clients to a task');
    } finally {
      cancel();
    }
  }

  async #run(link: NetworksLink, signal: AbortSignal): Promise<void> {
    const { clock, log, sink } = this.#options;
    let delayMs = REOPEN_DELAY_FIRST_MS;
    while (!signal.aborted) {
      try {
        await this.#watch(link, signal, () => {
          delayMs = REOPEN_DELAY_FIRST_MS;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RpcError && error.code === Code.UNIMPLEMENTED) {
          sink.unsupported();
          return;
        }
        log.info({ error: errorMessage(error) }, 'the manager tells no more of networks');
      }
      sink.lost();
      await clock.sleep(delayMs, signal).catch(() => {});
      delayMs = Math.min(2 * delayMs, REOPEN_DELAY_MAX_MS);
    }
  }

  /** Follows one call to its end. */
  async #watch(link: NetworksLink, signal: AbortSignal, onUpdate: () => void): Promise<void> {
    const call = new AbortController();
    const end = () => call.abort();
    signal.addEventListener('abort', end, { once: true });
    const acknowledgements = new Acknowledgements();
    const parts = new UpdateParts();
    let done = Promise.resolve();
    let failure: unknown;
    try {
      for await (const message of link.watch(acknowledgements, call.signal)) {
        if (failure) throw failure;
        const update = parts.add(message);
        if (!update || signal.aborted) continue;
        onUpdate();
        done = this.#apply(update, done, acknowledgements);
        done.catch((error: unknown) => {
          failure = error;
          end();
        });
      }
    } catch (error) {
      throw failure ?? error;
    } finally {
      signal.removeEventListener('abort', end);
      acknowledgements.end();
      end();
    }
  }

  /** Resolves, after the earlier ones, when an update is applied and the manager is told. */
  async #apply(
    update: NetworksUpdate,
    earlier: Promise<void>,
    acknowledgements: Acknowledgements,
  ): Promise<void> {
    const isKept = this.#options.flaws?.has('complete-adds-only');
    const applied = this.#options.sink.update(isKept ? { ...update, complete: false } : update);
    await Promise.all([earlier, applied]);
    acknowledgements.applied(update.number);
  }
}
