import { setMaxListeners } from 'node:events';
import { create, equals } from '@bufbuild/protobuf';
import { type Clock, Code, RpcError } from '@skep/platform';
import { durationMs } from '@skep/wire';
import {
  type AssignmentsMessage,
  AssignmentsMessage_Type,
  AssignmentsRequestSchema,
  HeartbeatRequestSchema,
  type NodeDescription,
  NodeDescriptionSchema,
  type SessionMessage,
  SessionRequestSchema,
  type SubscriptionMessage,
} from '@skep/wire/swarmkit';
import type { AgentLimits } from './limits.js';
import type { ManagerLink } from './link.js';
import { unlessAborted, within } from './waiting.js';

/** What a session does with what it hears. A rejection ends the session. */
export interface SessionHandlers {
  /** The first message came: reports may be sent under this session id. */
  registered(sessionId: string): void;
  /** How often this manager wants to hear of the node, ms; at each heartbeat. */
  period(periodMs: number): void;
  /** Every session message; the first one before anything else of the session starts but heartbeats. */
  message(message: SessionMessage): Promise<void>;
  assignments(message: AssignmentsMessage): Promise<void>;
  subscription(message: SubscriptionMessage): void;
  describe(): Promise<NodeDescription>;
  /** Calls `listener` when the description is worth a look at once. Returns how to stop that. */
  onDescriptionChange(listener: () => void): () => void;
}

export interface SessionOptions {
  link: ManagerLink;
  clock: Clock;
  limits: AgentLimits;
  description: NodeDescription;
  /** Of the last session, so that the manager goes on with it; empty at first. */
  sessionId: string;
  handlers: SessionHandlers;
}

function ended(what: string): RpcError {
  return new RpcError(Code.UNAVAILABLE, `the manager ended the ${what}`);
}

/**
 * One session with a manager: registration, heartbeat, assignments and log subscriptions, side by side.
 * Whatever of it fails ends all of it; it always ends by rejecting (wire.md 3.2).
 */
export async function runSession(options: SessionOptions, signal: AbortSignal): Promise<never> {
  const abort = new AbortController();
  setMaxListeners(0, abort.signal); // a fixed number: a few for each part of the session
  const onAbort = () => abort.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Session(options, abort.signal).run();
  } finally {
    signal.removeEventListener('abort', onAbort);
    abort.abort(new RpcError(Code.CANCELED, 'the session is over'));
  }
}

class Session {
  readonly #options: SessionOptions;
  readonly #signal: AbortSignal;

  constructor(options: SessionOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async run(): Promise<never> {
    const { description, handlers, link, sessionId } = this.#options;
    const request = create(SessionRequestSchema, { description, sessionId });
    const messages = link.session(request, this.#signal)[Symbol.asyncIterator]();
    const first = await this.#firstMessage(messages);
    handlers.registered(first.sessionId);
    // The manager counts from the registration on, however long the node takes to configure itself.
    const beating = this.#heartbeat(first.sessionId);
    await Promise.race([handlers.message(first), beating]);
    const parts = [
      beating,
      this.#follow('session', messages, (message) => handlers.message(message)),
      this.#assignments(first.sessionId),
      this.#subscriptions(),
      this.#redescribe(),
    ];
    // The first to fail decides; the others end with the signal, and what they say then is of no interest.
    return await Promise.race(parts);
  }

  async #firstMessage(messages: AsyncIterator<SessionMessage>): Promise<SessionMessage> {
    const { clock, limits } = this.#options;
    const next = unlessAborted(this.#signal, messages.next());
    const { done, value } = await within(clock, limits.callTimeoutMs, 'session', next);
    if (done) throw ended('session');
    return value;
  }

  /** Hands over one message after the other until the stream or the session ends. */
  #follow<T>(
    what: string,
    messages: AsyncIterator<T>,
    handle: (message: T) => Promise<void> | void,
  ): Promise<never> {
    const each = async () => {
      for (;;) {
        const { done, value } = await messages.next();
        this.#signal.throwIfAborted();
        if (done) throw ended(what);
        await handle(value);
      }
    };
    return unlessAborted(this.#signal, each());
  }

  async #heartbeat(sessionId: string): Promise<never> {
    const { clock, handlers, limits, link } = this.#options;
    let timeoutMs = limits.callTimeoutMs;
    for (;;) {
      const call = link.heartbeat(create(HeartbeatRequestSchema, { sessionId }));
      const { period } = await within(clock, timeoutMs, 'heartbeat', call);
      const periodMs = durationMs(period) || limits.heartbeatFallbackMs;
      handlers.period(periodMs);
      timeoutMs = Math.min(limits.callTimeoutMs, limits.heartbeatTimeoutPeriods * periodMs);
      await clock.sleep(periodMs, this.#signal);
    }
  }

  async #assignments(sessionId: string): Promise<never> {
    const { handlers, link } = this.#options;
    const request = create(AssignmentsRequestSchema, { sessionId });
    const messages = link.assignments(request, this.#signal)[Symbol.asyncIterator]();
    let last = '';
    return this.#follow('assignments', messages, async (message) => {
      if (message.type === AssignmentsMessage_Type.INCREMENTAL && message.appliesTo !== last) {
        const gap = `assignments after ${message.appliesTo}, but ${last || 'none'} was the last`;
        throw new RpcError(Code.DATA_LOSS, gap);
      }
      last = message.resultsIn;
      await handlers.assignments(message);
    });
  }

  async #subscriptions(): Promise<never> {
    const { handlers, link } = this.#options;
    const messages = link.listenSubscriptions(this.#signal)[Symbol.asyncIterator]();
    return this.#follow('log subscriptions', messages, handlers.subscription);
  }

  /** A changed node registers anew, under the same session id. */
  async #redescribe(): Promise<never> {
    const { clock, description, handlers, limits } = this.#options;
    let look = new AbortController();
    const forget = handlers.onDescriptionChange(() => look.abort());
    try {
      for (;;) {
        // At once, too: registering took its time.
        const now = await handlers.describe();
        if (!equals(NodeDescriptionSchema, description, now)) {
          throw new RpcError(Code.ABORTED, 'the description of the node changed');
        }
        const either = AbortSignal.any([this.#signal, look.signal]);
        await clock.sleep(limits.describePeriodMs, either).catch(() => {});
        this.#signal.throwIfAborted();
        look = new AbortController();
      }
    } finally {
      forget();
    }
  }
}
