import { BoundedQueue } from '@skep/platform';
import { EVENT_HISTORY_MAX, STREAM_ITEMS_MAX } from '../limits.js';

/** An event as GET /events sends it, before the fields for old clients are added. */
export interface ApiEvent {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local' | 'swarm';
  timeNano: bigint;
}

/** Gathers the events of all rooms, keeps the last ones, and hands them to any number of streams. */
export class EventHub {
  readonly #history: ApiEvent[] = [];
  readonly #streams = new Set<BoundedQueue<ApiEvent>>();

  publish(event: ApiEvent): void {
    this.#history.push(event);
    if (this.#history.length > EVENT_HISTORY_MAX) this.#history.shift();
    for (const stream of this.#streams) stream.push(event);
  }

  /** Kept events from `sinceNs` on (none without it), then new ones until the signal aborts. */
  open(sinceNs: bigint | undefined, signal: AbortSignal): AsyncIterable<ApiEvent> {
    const stream = new BoundedQueue<ApiEvent>(STREAM_ITEMS_MAX);
    if (sinceNs !== undefined) {
      for (const event of this.#history) if (event.timeNano >= sinceNs) stream.push(event);
    }
    this.#streams.add(stream);
    signal.addEventListener('abort', () => {
      this.#streams.delete(stream);
      stream.end();
    });
    return stream;
  }
}
