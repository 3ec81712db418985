import type { ProgressMessage } from '../../contract/engine.js';
import { ProgressChannel } from '../progress-channel.js';

interface Shared {
  channels: Set<ProgressChannel>;
  /** What a latecomer must know: the last message of each layer, and those of none. */
  history: Map<string, ProgressMessage>;
  abort: AbortController;
}

type StartPull = (say: (message: ProgressMessage) => void, signal: AbortSignal) => Promise<void>;

/**
 * Pulls that several wait for at once are done once. Each reader sees the whole progress; the pull
 * is given up when the last of them leaves.
 */
export class SharedPulls {
  readonly #running = new Map<string, Shared>();

  /** `key` must differ wherever the pull, or who may see its result, does. */
  async *join(
    key: string,
    signal: AbortSignal | undefined,
    start: StartPull,
  ): AsyncGenerator<ProgressMessage> {
    signal?.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#start(key, start);
    const channel = new ProgressChannel();
    for (const message of shared.history.values()) channel.push(message);
    shared.channels.add(channel);
    const onAbort = () => channel.end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      yield* channel;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#leave(key, shared, channel);
    }
  }

  #start(key: string, start: StartPull): Shared {
    const shared: Shared = {
      channels: new Set(),
      history: new Map(),
      abort: new AbortController(),
    };
    this.#running.set(key, shared);
    const say = (message: ProgressMessage) => {
      shared.history.set(message.id ?? message.status ?? '', message);
      for (const channel of shared.channels) channel.push(message);
    };
    const end = (error?: unknown) => {
      this.#forget(key, shared);
      for (const channel of shared.channels) channel.end(error);
    };
    start(say, shared.abort.signal).then(() => end(), end);
    return shared;
  }

  #forget(key: string, shared: Shared): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
  }

  #leave(key: string, shared: Shared, channel: ProgressChannel): void {
    shared.channels.delete(channel);
    if (shared.channels.size > 0) return;
    this.#forget(key, shared);
    shared.abort.abort(new Error('the pull was given up'));
  }
}
