import type {
  ImageEngine,
  ImageSource,
  ProgressMessage,
  RegistryAuth,
  TaskPull,
} from '@skep/containers';
import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { ExecutorLimits } from '../limits.js';
import { unlessAborted } from '../waiting.js';
import { hasDigest } from './reference.js';

/** An image on other nodes of the swarm. */
export interface PeerImageSource extends ImageSource {
  /** Lets go of them. */
  close(): void;
}

/** Other nodes of the swarm, as far as images are concerned. */
export interface ImagePeers {
  /**
   * Undefined where none has the image or may give it. `likelyOnly`: asks only those where a task of it
   * runs or ran.
   */
  find(
    image: string,
    options: { likelyOnly: boolean; signal: AbortSignal },
  ): Promise<PeerImageSource | undefined>;
}

export interface RouteRequest {
  /** As the task's spec has it. */
  image: string;
  /** With tag or digest. */
  reference: string;
  auth: RegistryAuth | undefined;
  task: TaskPull;
  /** Whether the image is on this node, if perhaps not the newest. */
  isHere: boolean;
  signal: AbortSignal;
  /** Called at the first sign of life of whoever has it. */
  onAnswer(): void;
}

export interface ImageRouteOptions {
  images: Pick<ImageEngine, 'pull'>;
  peers: ImagePeers;
  clock: Clock;
  logger: Logger;
  limits: Pick<ExecutorLimits, 'registryAloneMs'>;
}

/**
 * Which way an image comes here. By digest, from nodes that run it, since it can be no other and they are
 * near; else from the registry, which alone knows what a tag means now; and from any node that has it when
 * the registry does not give it, as Docker uses what is on the node then.
 */
export class ImageRoute {
  readonly #options: ImageRouteOptions;

  constructor(options: ImageRouteOptions) {
    this.#options = options;
  }

  /** Resolves with what is unusual about how it came. Rejects with the registry's error. */
  async fetch(request: RouteRequest): Promise<string | undefined> {
    const { isHere, reference } = request;
    if (hasDigest(reference)) {
      const near = await this.#find(request, { likelyOnly: true });
      if (near && (await this.#take(request, near))) return undefined;
    }
    const registry = new RegistryAttempt(this.#options.images, request);
    const failure = await this.#failureOf(registry);
    if (failure === undefined) return undefined;
    const peers = isHere ? undefined : await this.#find(request, { likelyOnly: false });
    const hasRecovered = failure instanceof SilenceError && registry.hasAnswered;
    if (!peers || hasRecovered) {
      peers?.close();
      await registry.done;
      return undefined;
    }
    registry.giveUp();
    if (await this.#take(request, peers)) {
      return `image from ${peers.name}: ${errorMessage(failure)}`;
    }
    if (!(failure instanceof SilenceError)) throw failure;
    await new RegistryAttempt(this.#options.images, request).done;
    return undefined;
  }

  /** Of the registry: undefined when the image came from it. It may yet answer after its silence. */
  async #failureOf(registry: RegistryAttempt): Promise<unknown> {
    const { clock, limits } = this.#options;
    let cancel = () => {};
    const silence = new Promise<unknown>((resolve) => {
      cancel = clock.after(limits.registryAloneMs, () => {
        if (!registry.hasAnswered) resolve(new SilenceError());
      });
    });
    const end = registry.done.then(
      () => undefined,
      (error: unknown) => error,
    );
    return await Promise.race([end, silence]).finally(() => cancel());
  }

  async #find({ image, signal }: RouteRequest, options: { likelyOnly: boolean }) {
    signal.throwIfAborted();
    return await this.#options.peers.find(image, { ...options, signal });
  }

  /** False where it could not be had whole: then the registry may have it. */
  async #take(request: RouteRequest, source: PeerImageSource): Promise<boolean> {
    const { onAnswer, reference, signal, task } = request;
    try {
      const pull = this.#options.images.pull(reference, { source, task, signal });
      await finished(pull, onAnswer);
      this.#options.logger.info({ image: reference, from: source.name }, 'image fetched');
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const fields = { image: reference, from: source.name, error: errorMessage(error) };
      this.#options.logger.warn(fields, 'other nodes could not give an image');
      return false;
    } finally {
      source.close();
    }
  }
}

class SilenceError extends Error {
  constructor() {
    super('its registry does not answer');
  }
}

/** A pull from the registry that may be given up by itself. */
class RegistryAttempt {
  /** Rejects with the registry's error, and when it is given up. */
  readonly done: Promise<void>;
  #hasAnswered = false;
  readonly #abort = new AbortController();

  constructor(images: Pick<ImageEngine, 'pull'>, request: RouteRequest) {
    const { auth, onAnswer, reference, task } = request;
    const signal = AbortSignal.any([request.signal, this.#abort.signal]);
    const pull = images.pull(reference, { ...(auth ? { auth } : {}), task, signal });
    const answered = () => {
      this.#hasAnswered = true;
      onAnswer();
    };
    this.done = unlessAborted(signal, finished(pull, answered));
    this.done.catch(() => {}); // whoever waits hears of it
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  giveUp(): void {
    this.#abort.abort(new Error('another node has the image'));
  }
}

/** Reads a pull to its end. */
async function finished(pull: AsyncIterable<ProgressMessage>, onAnswer: () => void): Promise<void> {
  for await (const message of pull) {
    onAnswer();
    if (message.error) throw new Error(message.error);
  }
}
