import { type Clock, errorMessage, type Logger, type Random } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { ProgressMessage, ResolvedImage } from '../contract/engine.js';
import type { EngineEvent } from '../contract/state.js';
import type { ImageContext } from './context.js';
import { ImageEvents } from './events.js';
import { ImageIndex } from './image-index.js';
import { KeyedMutex } from './keyed-mutex.js';
import { removeStaleLeases } from './lease.js';
import { loadArchive } from './load/load.js';
import { ProgressChannel } from './progress-channel.js';
import { resolvedImage } from './resolve.js';

export interface ImageEngineOptions {
  containerd: Containerd;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** The images of one node. */
export class Images {
  readonly #context: ImageContext;

  constructor(options: ImageEngineOptions) {
    const { containerd, clock, random, logger } = options;
    this.#context = {
      containerd,
      clock,
      random,
      logger,
      index: new ImageIndex({ containerd, logger }),
      events: new ImageEvents(clock),
      mutex: new KeyedMutex(),
    };
  }

  /** Once, before anything is pulled or loaded: removes what a killed daemon left half-made. */
  async start(): Promise<void> {
    const { containerd, logger } = this.#context;
    const count = await removeStaleLeases(containerd);
    if (count > 0) logger.info({ count }, 'removed leases of unfinished pulls and loads');
    await this.#context.index.refreshAll();
  }

  close(): void {
    this.#context.index.close();
  }

  load(
    archive: AsyncIterable<Uint8Array>,
    options: { quiet: boolean },
  ): AsyncIterable<ProgressMessage> {
    const channel = new ProgressChannel();
    const say = (message: ProgressMessage) => channel.push(message);
    loadArchive(this.#context, archive, { ...options, say }).then(
      () => channel.end(),
      (error: unknown) => {
        this.#context.logger.debug({ error: errorMessage(error) }, 'load failed');
        channel.end(error);
      },
    );
    return channel;
  }

  async resolve(reference: string): Promise<ResolvedImage> {
    return resolvedImage(await this.#context.index.find(reference));
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    return this.#context.events.subscribe(listener);
  }
}
