import { createHash } from 'node:crypto';
import type { ImageEngine } from '@skep/containers';
import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { ExecutorLimits } from '../limits.js';
import { readRegistryAuth } from './auth.js';
import { hasDigest, isImageId, taggedImage } from './reference.js';
import { type ImagePeers, ImageRoute } from './route.js';
import { SharedPull } from './shared-pull.js';

interface Pull {
  shared: SharedPull;
  /** See {@link ImagePuller.ensure}; known at its end. */
  remark: string | undefined;
}

export interface ImagePullerOptions {
  images: Pick<ImageEngine, 'pull' | 'usedByTask'>;
  peers: ImagePeers;
  clock: Clock;
  logger: Logger;
  limits: ExecutorLimits;
}

/** What a task needs of an image. */
export interface ImageNeed {
  /** As the task's spec has it. */
  image: string;
  /** base64url of JSON; empty for none. */
  encodedAuth: string;
  serviceId: string;
}

/**
 * Sees to it that the newest form of an image is here, if its registry lets us. A pull that fails is not an
 * error: whether there is an image shows when the container is made from it.
 *
 * Tasks that want the same image share one pull. Where the image is here already, a registry that does not
 * answer soon, or refuses, is not asked again for a while, so that one dead registry costs a service of
 * fifty tasks one short wait and not fifty long ones.
 */
export class ImagePuller {
  readonly #options: ImagePullerOptions;
  readonly #route: ImageRoute;
  readonly #pulls = new Map<string, Pull>();
  /** Until when (monotonic ms) an image that is here is used unasked. */
  readonly #failedUntil = new Map<string, number>();

  constructor(options: ImagePullerOptions) {
    this.#options = options;
    this.#route = new ImageRoute(options);
  }

  /**
   * Resolves when the image may be used as it is here, if it is, with what is unusual about how it came
   * here. Rejects only when `signal` aborts.
   */
  async ensure(need: ImageNeed, signal: AbortSignal): Promise<string | undefined> {
    if (isImageId(need.image)) return undefined;
    const reference = taggedImage(need.image);
    const isHere = await this.#isHere(reference);
    if (isHere && hasDigest(reference)) return undefined;
    // Other credentials may see another image, and another service have a right to it: they do not share.
    const { encodedAuth, serviceId } = need;
    const rights = createHash('sha256').update(JSON.stringify([encodedAuth, serviceId]));
    const key = `${reference} ${rights.digest('hex')}`;
    if (isHere && this.#failedLately(key)) return undefined;
    const pull = this.#pulls.get(key) ?? this.#begin(key, { ...need, reference, isHere });
    await pull.shared.join({ isHere, signal });
    return pull.remark;
  }

  async #isHere(reference: string): Promise<boolean> {
    return this.#options.images.usedByTask(reference).then(
      () => true,
      () => false,
    );
  }

  #failedLately(key: string): boolean {
    return (this.#failedUntil.get(key) ?? 0) > this.#options.clock.monotonic();
  }

  #begin(key: string, wanted: ImageNeed & { reference: string; isHere: boolean }): Pull {
    const { clock, limits, logger } = this.#options;
    const { encodedAuth, image, isHere, reference, serviceId } = wanted;
    const auth = readRegistryAuth(encodedAuth);
    const task = { keys: encodedAuth ? [serviceId, encodedAuth] : [serviceId] };
    const shared = new SharedPull({
      clock,
      patienceMs: limits.registryPatienceMs,
      pull: async (signal, onAnswer) => {
        const request = { image, reference, auth, task, isHere, signal, onAnswer };
        const remark = await this.#route.fetch(request);
        pull.remark = remark;
      },
      onEnd: ({ abandoned, error }) => {
        this.#pulls.delete(key);
        if (abandoned) return;
        if (error === undefined) return void this.#failedUntil.delete(key);
        const fields = { image: reference, error: errorMessage(error) };
        logger.warn(fields, 'pulling image failed');
        this.#remember(key);
      },
    });
    const pull: Pull = { shared, remark: undefined };
    this.#pulls.set(key, pull);
    return pull;
  }

  #remember(key: string): void {
    const { clock, limits } = this.#options;
    this.#failedUntil.delete(key);
    this.#failedUntil.set(key, clock.monotonic() + limits.pullFailureKeptMs);
    const oldest = this.#failedUntil.keys().next().value;
    if (this.#failedUntil.size > limits.pullFailuresMax && oldest !== undefined) {
      this.#failedUntil.delete(oldest);
    }
  }
}
