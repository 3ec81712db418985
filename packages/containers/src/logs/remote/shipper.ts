import { type Cancel, type Clock, errorMessage, hasErrno, type Logger } from '@skep/platform';
import {
  LOG_FLUSH_MS,
  LOG_HOLD_MS_MAX,
  LOG_RECONNECT_MS_FIRST,
  LOG_RECONNECT_MS_MAX,
  LOG_SEND_BYTES,
} from '../../limits.js';
import type { RemotePolicy } from '../options.js';
import type { LogDestination, LogLine, LogLink } from './log-link.js';

export interface LogShipperOptions {
  destination: LogDestination;
  policy: RemotePolicy;
  clock: Clock;
  logger: Logger;
  /** Told of entries that are lost to the receiver. */
  onDropped: (entries: number) => void;
}

/**
 * Carries a container's entries to a receiver that may be slow or away: they wait in a queue of bounded
 * size, and what does not fit is dropped and counted. With `holdsBack` the container is held back
 * first, but not for longer than nothing moves for a while.
 */
export class LogShipper {
  readonly #options: LogShipperOptions;
  readonly #stopped = new AbortController();
  readonly #waiting = new Set<() => void>();
  #queue: Buffer[] = [];
  #bytes = 0;
  #link: LogLink | undefined;
  #running = false;
  #reconnectMs = LOG_RECONNECT_MS_FIRST;
  #isFailing = false;
  #droppedNow = 0;
  /** Nothing moved for too long: no use in holding the container back. */
  #hasGivenUp = false;
  #cancelHold: Cancel | undefined;
  #onIdle: () => void = () => {};

  constructor(options: LogShipperOptions) {
    this.#options = options;
  }

  /** Whether the container is to wait until `onRoom` calls back. */
  get holdsBack(): boolean {
    const { policy } = this.#options;
    return policy.holdsBack && !this.#hasGivenUp && this.#bytes >= policy.bufferBytesMax;
  }

  /** Calls back once when the container need not wait any more. */
  onRoom(listener: () => void): void {
    this.#waiting.add(listener);
  }

  take(line: LogLine): void {
    const record = this.#options.destination.encode(line);
    if (!record || this.#stopped.signal.aborted) return;
    // A container that is to be held back has one chunk under way, which is let in.
    const isFull = this.#bytes >= this.#options.policy.bufferBytesMax;
    if (isFull && !this.holdsBack) {
      this.#drop(1);
      return;
    }
    this.#queue.push(record);
    this.#bytes += record.length;
    if (this.holdsBack) this.#armHold();
    if (!this.#running) void this.#run();
  }

  /** Sends what waits, within a bound, and lets go. */
  async close(): Promise<void> {
    if (this.#running) {
      const cancel = this.#options.clock.after(LOG_FLUSH_MS, () => this.#stopped.abort());
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      cancel();
    }
    this.#stopped.abort();
    if (this.#queue.length > 0) this.#drop(this.#queue.length);
    this.#queue = [];
    this.#bytes = 0;
    this.#link?.close();
    this.#release();
  }

  async #run(): Promise<void> {
    this.#running = true;
    const { signal } = this.#stopped;
    while (this.#queue.length > 0 && !signal.aborted) {
      try {
        this.#link ??= await this.#options.destination.open(signal);
        this.#moved(await this.#link.send(this.#nextBatch()));
      } catch (error) {
        if (hasErrno(error, 'EMSGSIZE')) this.#dropTooLong();
        else await this.#retryLater(error, signal);
      }
    }
    this.#running = false;
    this.#onIdle();
  }

  #nextBatch(): Buffer[] {
    let bytes = 0;
    const end = this.#queue.findIndex((record) => {
      bytes += record.length;
      return bytes > LOG_SEND_BYTES;
    });
    return end < 0 ? [...this.#queue] : this.#queue.slice(0, Math.max(end, 1));
  }

  #moved(records: number): void {
    if (records === 0) return;
    const sent = this.#queue.splice(0, records);
    for (const record of sent) this.#bytes -= record.length;
    this.#reconnectMs = LOG_RECONNECT_MS_FIRST;
    this.#hasGivenUp = false;
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    if (this.holdsBack) this.#armHold();
    else this.#release();
    this.#noteRecovery();
  }

  /** The first one is longer than a datagram can be: it would be in the way of all others. */
  #dropTooLong(): void {
    this.#bytes -= this.#queue.shift()?.length ?? 0;
    this.#drop(1);
  }

  async #retryLater(error: unknown, signal: AbortSignal): Promise<void> {
    this.#link?.close();
    this.#link = undefined;
    const { clock, logger, destination } = this.#options;
    const fields = { destination: destination.name, error: errorMessage(error) };
    if (!this.#isFailing && !signal.aborted) {
      logger.warn(fields, 'log entries cannot be delivered and wait');
    }
    this.#isFailing = true;
    const delayMs = this.#reconnectMs;
    this.#reconnectMs = Math.min(2 * delayMs, LOG_RECONNECT_MS_MAX);
    await clock.sleep(delayMs, signal).catch(() => {});
  }

  #armHold(): void {
    this.#cancelHold ??= this.#options.clock.after(LOG_HOLD_MS_MAX, () => {
      this.#cancelHold = undefined;
      this.#hasGivenUp = true;
      this.#release();
    });
  }

  #release(): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const listener of waiting) listener();
  }

  #drop(entries: number): void {
    const { logger, destination, onDropped } = this.#options;
    if (this.#droppedNow === 0) {
      logger.warn({ destination: destination.name }, 'log entries are dropped on their way');
    }
    this.#droppedNow += entries;
    onDropped(entries);
  }

  #noteRecovery(): void {
    if (!this.#isFailing && this.#droppedNow === 0) return;
    if (this.#bytes >= this.#options.policy.bufferBytesMax) return;
    const { logger, destination } = this.#options;
    const fields = { destination: destination.name, dropped: this.#droppedNow };
    logger.warn(fields, 'log entries are delivered again');
    this.#isFailing = false;
    this.#droppedNow = 0;
  }
}
