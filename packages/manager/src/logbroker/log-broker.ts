import { create } from '@bufbuild/protobuf';
import {
  BoundedQueue,
  Code,
  invariant,
  type Logger,
  newId,
  type Random,
  RpcError,
} from '@skep/platform';
import type { Commit, Store } from '@skep/store';
import {
  type LogSelector,
  LogSubscriptionOptionsSchema,
  type PublishLogsMessage,
  type PublishLogsResponse,
  PublishLogsResponseSchema,
  type SubscribeLogsMessage,
  SubscribeLogsMessageSchema,
  type SubscribeLogsRequest,
  type SubscriptionMessage,
  SubscriptionMessageSchema,
} from '@skep/wire/swarmkit';
import type { ControlLoop, LogBrokerService } from '../contract.js';
import { whenAborted } from '../loop/when-aborted.js';
import { NOTICES_WAITING_MAX, SUBSCRIPTIONS_MAX } from './limits.js';
import { Subscription } from './subscription.js';

export interface LogBrokerOptions {
  store: Store;
  random: Random;
  log: Logger;
}

type Listener = BoundedQueue<SubscriptionMessage>;

/** Brings together who wants to read logs and the nodes that have them. Keeps nothing of either. */
export class LogBroker implements ControlLoop, LogBrokerService {
  readonly #options: LogBrokerOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #unsubscribe: (() => void) | undefined;

  constructor(options: LogBrokerOptions) {
    this.#options = options;
  }

  start(): void {
    invariant(!this.#unsubscribe, 'the log broker is started twice');
    this.#unsubscribe = this.#options.store.subscribe((commit) => this.#onCommit(commit));
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    for (const { messages } of this.#subscriptions.values()) messages.close(stopped());
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener.end(stopped());
    }
  }

  async *subscribeLogs(
    request: SubscribeLogsRequest,
    signal: AbortSignal,
  ): AsyncIterable<SubscribeLogsMessage> {
    const subscription = this.#open(request);
    const forget = whenAborted(signal, () => this.#close(subscription));
    try {
      yield* subscription.messages;
    } finally {
      forget();
      this.#close(subscription);
    }
  }

  async *listenSubscriptions(
    nodeId: string,
    signal: AbortSignal,
  ): AsyncIterable<SubscriptionMessage> {
    this.#mustRun();
    const listener: Listener = new BoundedQueue(NOTICES_WAITING_MAX);
    const listeners = this.#listeners.get(nodeId) ?? new Set();
    this.#listeners.set(nodeId, listeners.add(listener));
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.expects(nodeId)) listener.push(subscription.opening);
    }
    const close = () => this.#closeListener(nodeId, listener);
    const forget = whenAborted(signal, close);
    try {
      yield* listener;
    } finally {
      forget();
      close();
    }
  }

  async publishLogs(
    nodeId: string,
    messages: AsyncIterable<PublishLogsMessage>,
  ): Promise<PublishLogsResponse> {
    this.#mustRun();
    let subscription: Subscription | undefined;
    let reason: string | undefined = `node ${nodeId} disconnected unexpectedly`;
    try {
      for await (const message of messages) {
        subscription = this.#subscriptionOf(message, subscription);
        const open = await relay(subscription, nodeId, message);
        if (message.close) reason = undefined;
        if (message.close || !open) break;
      }
    } finally {
      subscription?.nodeDone(nodeId, reason);
    }
    return create(PublishLogsResponseSchema);
  }

  #mustRun(): void {
    if (!this.#unsubscribe) throw stopped();
  }

  #open(request: SubscribeLogsRequest): Subscription {
    this.#mustRun();
    const selector = checkSelector(request.selector);
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'too many log subscriptions are open');
    }
    const options = request.options ?? create(LogSubscriptionOptionsSchema);
    const id = newId(this.#options.random);
    const subscription = new Subscription({ id, selector, options });
    this.#subscriptions.set(id, subscription);
    subscription.addPresent(this.#options.store.view);
    for (const nodeId of subscription.nodes) this.#ask(subscription, nodeId);
    subscription.endIfComplete();
    return subscription;
  }

  #close(subscription: Subscription): void {
    subscription.messages.close();
    if (!this.#subscriptions.delete(subscription.id)) return;
    const notice = create(SubscriptionMessageSchema, { id: subscription.id, close: true });
    for (const nodeId of subscription.nodes) this.#tell(nodeId, notice);
  }

  /** Asks a node for its logs. One that follows is asked again when the node comes. */
  #ask(subscription: Subscription, nodeId: string): void {
    if (this.#tell(nodeId, subscription.opening)) return;
    subscription.nodeDone(nodeId, `node ${nodeId} is not available`);
  }

  /** Sends a notice to a node; false when nobody listens there. */
  #tell(nodeId: string, notice: SubscriptionMessage): boolean {
    const listeners = this.#listeners.get(nodeId);
    if (!listeners) return false;
    for (const listener of listeners) listener.push(notice);
    return true;
  }

  #closeListener(nodeId: string, listener: Listener): void {
    listener.end();
    const listeners = this.#listeners.get(nodeId);
    if (!listeners?.delete(listener) || listeners.size > 0) return;
    this.#listeners.delete(nodeId);
    for (const subscription of this.#subscriptions.values()) {
      subscription.nodeDone(nodeId, `node ${nodeId} disconnected unexpectedly`);
    }
  }

  #subscriptionOf(message: PublishLogsMessage, present: Subscription | undefined): Subscription {
    if (present && present.id !== message.subscriptionId) {
      throw new RpcError(Code.INVALID_ARGUMENT, 'different subscription IDs in the same session');
    }
    const subscription = present ?? this.#subscriptions.get(message.subscriptionId);
    if (!subscription) throw new RpcError(Code.NOT_FOUND, 'unknown subscription ID');
    return subscription;
  }

  /** A task that came to a node: who follows its logs wants them from there too. */
  #onCommit({ changes }: Commit): void {
    if (this.#subscriptions.size === 0) return;
    for (const { table, kind, object } of changes) {
      if (table !== 'task' || kind === 'remove' || object.nodeId === '') continue;
      for (const subscription of this.#subscriptions.values()) {
        const news = subscription.follow && subscription.selects(object);
        if (news && subscription.addNode(object.nodeId)) this.#ask(subscription, object.nodeId);
      }
    }
  }
}

/** Passes a node's messages on; false when nobody reads any more. */
async function relay(
  subscription: Subscription,
  nodeId: string,
  { messages }: PublishLogsMessage,
): Promise<boolean> {
  for (const { context } of messages) {
    if (context?.nodeId === nodeId) continue;
    throw new RpcError(Code.PERMISSION_DENIED, 'a log message names another node as its source');
  }
  if (messages.length === 0) return true;
  return subscription.messages.send(create(SubscribeLogsMessageSchema, { messages }));
}

function checkSelector(selector: LogSelector | undefined): LogSelector {
  if (!selector) throw new RpcError(Code.INVALID_ARGUMENT, 'log selector must be provided');
  const { serviceIds, nodeIds, taskIds } = selector;
  if (serviceIds.length + nodeIds.length + taskIds.length === 0) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'log selector must not be empty');
  }
  return selector;
}

function stopped(): RpcError {
  return new RpcError(Code.ABORTED, 'broker is not running');
}
