import { create, toBinary } from '@bufbuild/protobuf';
import { type Cancel, type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { events as eventMessages, eventService, namespaces, version } from '@skep/wire/containerd';
import type { Connection } from './connection.js';
import type { EventListener, EventsApi } from './containerd.js';
import { decodeEvent, EVENT_TOPICS } from './event-decode.js';
import { MARKER_TIMEOUT_MS, PROBE_TIMEOUT_MS, RECONNECT_BACKOFF_MS } from './limits.js';

const MARKER_TOPIC = '/skep/subscribed';

/** Wait between two markers: the first may be published before the subscription stands. */
const MARKER_REPEAT_MS = 20;

/**
 * containerd's event stream, opened again whenever it breaks. containerd does not say when a
 * subscription stands and replays nothing, so a marker event is published until it comes back on
 * the stream: only then is it certain that no later event is missed, and listeners are told to
 * compare everything.
 */
export class EventStream implements EventsApi {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<EventListener>();
  #stream: AbortController | undefined;
  #connected = false;
  #closed = false;
  #backoffMs: number = RECONNECT_BACKOFF_MS.first;
  #cancelTimer: Cancel = () => {};
  #onMarker: () => void = () => {};

  constructor(options: { connection: Connection; clock: Clock; logger: Logger }) {
    this.#connection = options.connection;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  get connected(): boolean {
    return this.#connected;
  }

  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    if (this.#connected) listener.onResync?.();
    return () => void this.#listeners.delete(listener);
  }

  /** Keeps the stream open until {@link EventStream.close}; returns at once. */
  open(): void {
    void this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    this.#stream?.abort();
    this.#setDown();
  }

  async #connect(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#connection.call(version.Version.method.version, {}, PROBE);
      await this.#ensureNamespace();
      await this.#subscribe();
      if (this.#closed) return;
      this.#backoffMs = RECONNECT_BACKOFF_MS.first;
      this.#connected = true;
      this.#tell((listener) => listener.onResync?.());
    } catch (error) {
      this.#logger.debug({ error: errorMessage(error) }, 'containerd cannot be reached');
      this.#stream?.abort();
      this.#retryLater();
    }
  }

  /** Made on every connect: a containerd whose data was wiped has none. */
  async #ensureNamespace(): Promise<void> {
    const namespace = { name: this.#connection.namespace };
    try {
      await this.#connection.call(namespaces.Namespaces.method.create, { namespace }, PROBE);
    } catch (error) {
      if (!(error instanceof RpcError) || error.code !== Code.ALREADY_EXISTS) throw error;
    }
  }

  async #subscribe(): Promise<void> {
    const stream = new AbortController();
    this.#stream = stream;
    let isOver = false;
    void this.#receiveAll(stream.signal).then((error) => {
      isOver = true;
      if (this.#stream === stream) this.#streamEnded(error);
    });
    await this.#awaitMarker();
    if (isOver) throw ended();
  }

  /** Never rejects: resolves with why there is no more. */
  async #receiveAll(signal: AbortSignal): Promise<unknown> {
    const { namespace } = this.#connection;
    // Each container makes several others.
    const filters = [MARKER_TOPIC, ...EVENT_TOPICS].map(
      (topic) => `namespace==${namespace},topic==${JSON.stringify(topic)}`,
    );
    const { subscribe } = eventService.Events.method;
    try {
      const envelopes = this.#connection.serverStream(subscribe, { filters }, signal);
      for await (const envelope of envelopes) this.#receive(envelope);
      return ended();
    } catch (error) {
      return error;
    }
  }

  async #awaitMarker(): Promise<void> {
    const { method } = eventService.Events;
    const event = {
      typeUrl: eventMessages.NamespaceUpdateSchema.typeName,
      value: toBinary(
        eventMessages.NamespaceUpdateSchema,
        create(eventMessages.NamespaceUpdateSchema, { name: this.#connection.namespace }),
      ),
    };
    let seen = false;
    const arrived = new Promise<void>((resolve) => {
      this.#onMarker = () => {
        seen = true;
        resolve();
      };
    });
    const attempts = Math.ceil(MARKER_TIMEOUT_MS / MARKER_REPEAT_MS);
    for (let attempt = 0; attempt < attempts && !seen; attempt++) {
      await this.#connection.call(method.publish, { topic: MARKER_TOPIC, event }, PROBE);
      await Promise.race([arrived, this.#clock.sleep(MARKER_REPEAT_MS)]);
    }
    if (!seen) throw new RpcError(Code.DEADLINE_EXCEEDED, 'event stream does not answer');
  }

  #receive(envelope: eventService.Envelope): void {
    if (envelope.topic === MARKER_TOPIC) this.#onMarker();
    if (!this.#connected) return; // before the resync nobody can place an event
    try {
      const event = decodeEvent(envelope);
      if (event) this.#tell((listener) => listener.onEvent?.(event));
    } catch (error) {
      const fields = { topic: envelope.topic, error: errorMessage(error) };
      this.#logger.warn(fields, 'an event of containerd was not understood');
    }
  }

  #streamEnded(error: unknown): void {
    this.#stream = undefined;
    if (!this.#connected) return; // the connect under way fails and retries
    if (!this.#closed) {
      this.#logger.warn({ error: errorMessage(error) }, 'lost the connection to containerd');
    }
    this.#setDown();
    this.#retryLater();
  }

  #setDown(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#tell((listener) => listener.onDown?.());
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#cancelTimer = this.#clock.after(this.#backoffMs, () => void this.#connect());
    this.#backoffMs = Math.min(this.#backoffMs * 2, RECONNECT_BACKOFF_MS.last);
  }

  /** One listener's failure is its own: the others still hear. */
  #tell(say: (listener: EventListener) => void): void {
    for (const listener of [...this.#listeners]) {
      try {
        say(listener);
      } catch (error) {
        this.#logger.error({ error: errorMessage(error) }, 'a listener of containerd failed');
      }
    }
  }
}

function ended(): RpcError {
  return new RpcError(Code.UNAVAILABLE, 'event stream ended');
}

const PROBE = { timeoutMs: PROBE_TIMEOUT_MS };
