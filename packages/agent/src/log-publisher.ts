import { create } from '@bufbuild/protobuf';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import {
  type LogMessage,
  LogMessageSchema,
  type LogSelector,
  LogStream,
  type PublishLogsMessage,
  PublishLogsMessageSchema,
  type SubscriptionMessage,
} from '@skep/wire/swarmkit';
import { Channel } from './channel.js';
import type { TaskController, TaskLogEntry, TaskLogOptions } from './executor.js';
import type { AgentLimits } from './limits.js';
import { taskLogOptions } from './log-options.js';

/** A task of this node, as far as its log goes. */
export interface LogSource {
  readonly task: TaskObject;
  readonly controller: Pick<TaskController, 'logs'>;
}

export interface LogPublisherOptions {
  clock: Clock;
  logger: Logger;
  limits: AgentLimits;
  /** All tasks of this node now. */
  sources(): Iterable<LogSource>;
}

export type PublishLogs = (messages: AsyncIterable<PublishLogsMessage>) => Promise<void>;

interface Subscription {
  id: string;
  selector: LogSelector | undefined;
  options: TaskLogOptions;
  abort: AbortController;
  channel: Channel<LogMessage>;
  /** Tasks being read. */
  reading: Set<string>;
}

const NANOS_PER_S = 1_000_000_000n;
const MS_PER_S = 1_000;

function timestamp(timeNs: bigint): Timestamp {
  const nanos = Number(timeNs % NANOS_PER_S);
  return create(TimestampSchema, { seconds: timeNs / NANOS_PER_S, nanos });
}

function logMessage(task: TaskObject, entry: TaskLogEntry): LogMessage {
  return create(LogMessageSchema, {
    context: { serviceId: task.serviceId, nodeId: task.nodeId, taskId: task.id },
    timestamp: timestamp(entry.timeNs),
    stream: entry.stream === 'stdout' ? LogStream.STDOUT : LogStream.STDERR,
    data: entry.data,
    attrs: Object.entries(entry.attributes).map(([key, value]) => ({ key, value })),
  });
}

/** Whether a selector means a task: naming its service, its node or itself is enough. */
export function selects(selector: LogSelector | undefined, task: TaskObject): boolean {
  if (!selector) return false;
  return (
    selector.taskIds.includes(task.id) ||
    selector.serviceIds.includes(task.serviceId) ||
    selector.nodeIds.includes(task.nodeId)
  );
}

/** Answers a manager's subscriptions with the logs of this node's tasks. */
export class LogPublisher {
  readonly #options: LogPublisherOptions;
  readonly #subscriptions = new Map<string, Subscription>();

  constructor(options: LogPublisherOptions) {
    this.#options = options;
  }

  /** Opens or closes a subscription; what it reads goes through `publish`. */
  handle(message: SubscriptionMessage, publish: PublishLogs): void {
    if (message.close) this.#end(message.id);
    else if (!this.#subscriptions.has(message.id)) this.#tryOpen(message, publish);
  }

  /** A task appeared: subscriptions that follow read it too. */
  taskAdded(source: LogSource): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.options.follow) void this.#read(subscription, source);
    }
  }

  /** Ends all subscriptions: the session they belong to is over. */
  closeAll(): void {
    for (const id of this.#subscriptions.keys()) this.#end(id);
  }

  #tryOpen(message: SubscriptionMessage, publish: PublishLogs): void {
    try {
      if (this.#subscriptions.size >= this.#options.limits.logSubscriptionsMax) {
        throw new RpcError(Code.RESOURCE_EXHAUSTED, 'too many log subscriptions');
      }
      this.#open(message, taskLogOptions(message.options), publish);
    } catch (error) {
      const fields = { subscriptionId: message.id, error: errorMessage(error) };
      this.#options.logger.warn(fields, 'cannot answer a log subscription');
      this.#publish(message.id, publish, closing(message.id));
    }
  }

  #open(message: SubscriptionMessage, options: TaskLogOptions, publish: PublishLogs): void {
    const subscription: Subscription = {
      id: message.id,
      selector: message.selector,
      options,
      abort: new AbortController(),
      channel: new Channel(this.#options.limits.logMessagesWaitingMax),
      reading: new Set(),
    };
    this.#subscriptions.set(message.id, subscription);
    const reads = [...this.#options.sources()].map((source) => this.#read(subscription, source));
    if (!options.follow) void Promise.all(reads).then(() => subscription.channel.close());
    this.#publish(subscription.id, publish, this.#messages(subscription));
  }

  #publish(id: string, publish: PublishLogs, messages: AsyncIterable<PublishLogsMessage>): void {
    let isSaid = false;
    const observed = async function* () {
      yield* messages;
      isSaid = true;
    };
    publish(observed())
      .catch((error: unknown) => {
        if (isSaid) return; // a dockerd ends the call at the closing message, without its answer
        const fields = { subscriptionId: id, error: errorMessage(error) };
        this.#options.logger.info(fields, 'publishing logs ended');
      })
      .finally(() => this.#end(id));
  }

  #end(id: string): void {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    subscription?.abort.abort(new Error('the log subscription is closed'));
    subscription?.channel.close();
  }

  async #read(subscription: Subscription, { task, controller }: LogSource): Promise<void> {
    const { abort, channel, options, reading, selector } = subscription;
    if (!selects(selector, task) || reading.has(task.id)) return;
    reading.add(task.id);
    try {
      for await (const entry of controller.logs(options, abort.signal)) {
        if (!(await channel.send(logMessage(task, entry)))) break;
      }
    } catch (error) {
      if (abort.signal.aborted) return;
      const fields = { taskId: task.id, error: errorMessage(error) };
      this.#options.logger.info(fields, 'reading the log of a task ended');
    } finally {
      reading.delete(task.id);
    }
  }

  /** What is read, in batches, slowed to the allowed rate; at the end the closing message. */
  async *#messages(subscription: Subscription): AsyncIterable<PublishLogsMessage> {
    const { clock, limits } = this.#options;
    const { abort, channel, id } = subscription;
    let freeAtMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      const messages = await channel.receive(limits.logBatchMax);
      if (messages.length === 0) break;
      yield create(PublishLogsMessageSchema, { subscriptionId: id, messages });
      const bytes = messages.reduce((sum, message) => sum + message.data.length, 0);
      const nowMs = clock.monotonic();
      // A second's worth may go at once; from then on the stream keeps to the rate.
      freeAtMs = Math.max(freeAtMs, nowMs - MS_PER_S);
      freeAtMs += (bytes / limits.logBytesPerSecondMax) * MS_PER_S;
      if (freeAtMs > nowMs) await clock.sleep(freeAtMs - nowMs, abort.signal).catch(() => {});
    }
    yield* closing(id);
  }
}

async function* closing(subscriptionId: string): AsyncIterable<PublishLogsMessage> {
  yield create(PublishLogsMessageSchema, { subscriptionId, close: true });
}
