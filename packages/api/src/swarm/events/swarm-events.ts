import { create } from '@bufbuild/protobuf';
import { type Clock, errorMessage, type Logger } from '@skep/platform';
import { WatchRequest_WatchEntrySchema, WatchRequestSchema } from '@skep/wire/swarmkit';
import type { EventHub } from '../../events/hub.js';
import { WATCH_RETRY_MS } from '../limits.js';
import type { SwarmNode } from '../node.js';
import { ManagerEvents } from './manager-events.js';
import { EVENT_KINDS, toEvent } from './to-event.js';

export interface SwarmEventsOptions {
  node: SwarmNode;
  hub: EventHub;
  clock: Clock;
  log: Logger;
}

/** Puts the swarm's events into the hub for as long as this node is a manager. */
export class SwarmEvents {
  readonly #options: SwarmEventsOptions;
  readonly #managers: ManagerEvents;
  #watching: AbortController | undefined;
  #cancelRetry = () => {};
  #unsubscribe = () => {};

  constructor(options: SwarmEventsOptions) {
    this.#options = options;
    this.#managers = new ManagerEvents(options);
  }

  start(): void {
    this.#unsubscribe = this.#options.node.onChange(() => this.#follow());
    this.#follow();
  }

  stop(): void {
    this.#unsubscribe();
    this.#cancelRetry();
    this.#watching?.abort();
    this.#watching = undefined;
  }

  /** Watches when this node is a manager, and not when it is none. */
  #follow(): void {
    this.#managers.look();
    const isManager = this.#options.node.info().controlAvailable;
    if (isManager && !this.#watching) {
      this.#watching = new AbortController();
      void this.#watch(this.#watching);
    } else if (!isManager) {
      this.#watching?.abort();
      this.#watching = undefined;
    }
  }

  async #watch(watching: AbortController): Promise<void> {
    const { node, hub, clock, log } = this.#options;
    try {
      const request = create(WatchRequestSchema, {
        entries: EVENT_KINDS.map((kind) => create(WatchRequest_WatchEntrySchema, { kind })),
        includeOldObject: true,
      });
      for await (const { events } of node.watch().watch(request, watching.signal)) {
        for (const change of events) {
          const event = toEvent(change, clock.now());
          if (event) hub.publish(event);
        }
      }
    } catch (error) {
      if (!watching.signal.aborted) {
        log.warn({ error: errorMessage(error) }, 'the feed of swarm events broke');
      }
    }
    if (this.#watching !== watching) return;
    this.#watching = undefined;
    this.#cancelRetry = clock.after(WATCH_RETRY_MS, () => this.#follow());
  }
}
