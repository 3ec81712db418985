import { createHash } from 'node:crypto';
import { type Clock, Code, errorMessage, type Logger, type Random, RpcError } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type {
  Filters,
  ImageEngine,
  ImageForOthers,
  ImageSummary,
  ProgressMessage,
  RegistryAuth,
  ResolvedImage,
  TaskImage,
} from '../contract/engine.js';
import type { EngineEvent } from '../contract/state.js';
import { RegistryClient } from '../registry/client.js';
import { InsecureRegistries } from '../registry/insecure.js';
import { HttpTransport, type Transport } from '../registry/transport.js';
import { collectImage, unusedTaskImages } from './change/collect.js';
import type { FindUsers } from './change/conflict.js';
import { pruneImages } from './change/prune.js';
import { type RemovedItem, removeImage } from './change/remove.js';
import { tagImage } from './change/tag.js';
import type { ImageContext, ImageTraffic } from './context.js';
import { ImageEvents } from './events.js';
import { ImageIndex } from './image-index.js';
import { KeyedMutex } from './keyed-mutex.js';
import { removeStaleLeases } from './lease.js';
import { DISTRIBUTION_PATIENCE_MS, DOWNLOADS_MAX } from './limits.js';
import { loadArchive } from './load/load.js';
import { hostPlatform, parsePlatform } from './platform.js';
import { ProgressChannel } from './progress-channel.js';
import { Distribution, type DistributionInspect } from './pull/distribution.js';
import { markTaskUse } from './pull/naming.js';
import { pullImage } from './pull/pull.js';
import { Semaphore } from './pull/semaphore.js';
import { SharedPulls } from './pull/shared-pulls.js';
import { imageHistory } from './query/history.js';
import { inspectImage } from './query/inspect.js';
import { listImages } from './query/list.js';
import { LayerSizes } from './query/sizes.js';
import {
  canonicalString,
  familiarString,
  isDigest,
  parseReference,
  storedReference,
  withDefaultTag,
} from './reference.js';
import { resolvedImage } from './resolve.js';
import { imageForOthers } from './shelf.js';

export interface ImagesOptions {
  containerd: Containerd;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** `HOST[:PORT]` or CIDR, as of `--insecure-registry`. */
  insecureRegistries?: readonly string[];
  /** URLs, as of `--registry-mirror`. */
  registryMirrors?: readonly string[];
  /** The containers made from an image. */
  usersOf?: FindUsers;
  transport?: Transport;
}

/** The images of one node. */
export class Images implements ImageEngine {
  readonly #context: ImageContext;
  readonly #registry: RegistryClient;
  readonly #distribution: Distribution;
  readonly #sizes: LayerSizes;
  readonly #downloads = new Semaphore(DOWNLOADS_MAX);
  readonly #pulls = new SharedPulls();
  readonly #usersOf: FindUsers;

  constructor(options: ImagesOptions) {
    const { containerd, clock, random, logger } = options;
    const index = new ImageIndex({ containerd, logger });
    const events = new ImageEvents(clock);
    const mutex = new KeyedMutex();
    const traffic = { registry: 0, peers: 0 };
    this.#context = { containerd, clock, random, logger, index, events, mutex, traffic };
    this.#sizes = new LayerSizes(containerd);
    this.#usersOf = options.usersOf ?? (() => []);
    this.#registry = new RegistryClient({
      transport: options.transport ?? new HttpTransport(),
      insecure: new InsecureRegistries(options.insecureRegistries ?? []),
      mirrors: options.registryMirrors ?? [],
      clock,
      logger,
    });
    this.#distribution = new Distribution(this.#registry);
  }

  /** Once, before anything is pulled or loaded: removes what a killed daemon left half-made. */
  async start(): Promise<void> {
    const { containerd, logger, index } = this.#context;
    const count = await removeStaleLeases(containerd);
    if (count > 0) logger.info({ count }, 'removed leases of unfinished pulls and loads');
    await index.refreshAll();
  }

  close(): void {
    this.#context.index.close();
  }

  async *pull(
    text: string,
    options: Parameters<ImageEngine['pull']>[1],
  ): AsyncGenerator<ProgressMessage> {
    const reference = storedReference(parseReference(text));
    const platform = options.platform ? parsePlatform(options.platform) : hostPlatform();
    const { auth, signal, source, task } = options;
    // A pull is shared only with who shows the same credentials: others may not be let in.
    const key = JSON.stringify([
      canonicalString(reference),
      platform,
      secret([auth, task?.keys]),
      source?.name,
    ]);
    const deps = { downloads: this.#downloads, context: this.#context, registry: this.#registry };
    yield* this.#pulls.join(key, signal, (say, shared) => {
      const request = { reference, platform, auth, source, task, say, signal: shared };
      return pullImage(deps, request);
    });
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

  /** An image that is here whole, as another node may have it. */
  find(reference: string): Promise<ImageForOthers | undefined> {
    return imageForOthers(this.#context, reference);
  }

  /** Bytes of a part of an image, from an offset on. */
  read(digest: string, offset: number): AsyncIterable<Uint8Array> {
    return this.#context.containerd.content.read(digest, offset);
  }

  unusedTaskImages(): Promise<TaskImage[]> {
    return unusedTaskImages(this.#context, this.#usersOf);
  }

  /**
   * Removes one of {@link unusedTaskImages}. Resolves with the bytes that are free now; undefined when
   * it has been asked for meanwhile.
   */
  collect(id: string): Promise<number | undefined> {
    const deps = { sizes: this.#sizes, usersOf: this.#usersOf };
    return collectImage(this.#context, deps, id);
  }

  get traffic(): Readonly<ImageTraffic> {
    return this.#context.traffic;
  }

  list(options: {
    all: boolean;
    filters: Filters;
    digests: boolean;
    sharedSize: boolean;
  }): Promise<ImageSummary[]> {
    return listImages(this.#context, this.#sizes, options);
  }

  inspect(reference: string): Promise<Record<string, unknown>> {
    return inspectImage(this.#context, this.#sizes, reference);
  }

  history(reference: string): Promise<Record<string, unknown>[]> {
    return imageHistory(this.#context, this.#sizes, reference);
  }

  tag(reference: string, repository: string, tag: string): Promise<void> {
    return tagImage(this.#context, reference, repository, tag);
  }

  remove(reference: string, options: { force: boolean; noPrune: boolean }): Promise<RemovedItem[]> {
    return removeImage(this.#context, this.#usersOf, reference, options);
  }

  prune(filters: Filters): Promise<{ ImagesDeleted: RemovedItem[]; SpaceReclaimed: number }> {
    const deps = { sizes: this.#sizes, usersOf: this.#usersOf };
    return pruneImages(this.#context, deps, filters);
  }

  async resolve(reference: string): Promise<ResolvedImage> {
    return resolvedImage(await this.#context.index.find(reference));
  }

  async usedByTask(reference: string): Promise<ResolvedImage> {
    const image = await this.#context.index.find(reference);
    await markTaskUse(this.#context, image);
    return resolvedImage(image);
  }

  /**
   * A client asks this before it creates a service, and goes on without an answer; where the image is here
   * anyway it does not have to sit through the time-outs of name servers and connections.
   */
  async distribution(reference: string, auth?: RegistryAuth): Promise<DistributionInspect> {
    const asked = this.#distribution.inspect(reference, auth);
    const isHere = await this.resolve(reference).then(
      () => true,
      () => false,
    );
    if (!isHere) return asked;
    const { clock } = this.#context;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(DISTRIBUTION_PATIENCE_MS, () =>
        reject(
          new RpcError(
            Code.UNAVAILABLE,
            `the registry of ${reference} does not answer within ${DISTRIBUTION_PATIENCE_MS} ms`,
          ),
        ),
      );
      asked.finally(cancel).then(resolve, reject);
    });
  }

  async pinned(text: string, auth?: RegistryAuth): Promise<string> {
    if (isDigest(text) || isDigest(`sha256:${text}`)) return text;
    const reference = withDefaultTag(parseReference(text));
    if (reference.digest !== undefined) return text;
    const { Descriptor } = await this.distribution(text, auth);
    return familiarString({ ...reference, digest: Descriptor.digest });
  }

  async login(auth: RegistryAuth): Promise<{ Status: string; IdentityToken: string }> {
    return { Status: 'Login Succeeded', IdentityToken: await this.#registry.login(auth) };
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    return this.#context.events.subscribe(listener);
  }
}

/** What tells credentials apart without being them. */
function secret(what: unknown): string {
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}
