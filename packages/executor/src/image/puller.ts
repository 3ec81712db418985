import { createHash } from 'node:crypto';
import type { ImageEngine } from '@skep/containers';
import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { ExecutorLimits } from '../limits.js';
import { readRegistryAuth } from './auth.js';
import { hasDigest, isImageId, taggedImage } from './reference.js';
import { SharedPull } from './shared-pull.js';

export interface ImagePullerOptions {
  images: Pick<ImageEngine, 'pull' | 'resolve'>;
  clock: Clock;
  logger: Logger;
  limits: ExecutorLimits;
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
  readonly #pulls = new Map<string, SharedPull>();
  /** Until when (monotonic ms) an image that is here is used unasked. */
  readonly #failedUntil = new Map<string, number>();

  constructor(options: ImagePullerOptions) {
    this.#options = options;
  }

  /** Resolves when the image may be used as it is here, if it is. Rejects only when `signal` aborts. */
  async ensure(image: string, encodedAuth: string | undefined, signal: AbortSignal): Promise<void> {
    if (isImageId(image)) return;
    const reference = taggedImage(image);
    const isHere = await this.#isHere(reference);
    if (isHere && hasDigest(reference)) return;
    // Other credentials may see another image: they do not share.
    const auth = createHash('sha256').update(encodedAuth ?? '');
    const key = `${reference} ${auth.digest('hex')}`;
    if (isHere && this.#failedLately(key)) return;
    const pull = this.#pulls.get(key) ?? this.#begin(key, reference, encodedAuth);
    await pull.join({ isHere, signal });
  }

  async #isHere(reference: string): Promise<boolean> {
    return this.#options.images.resolve(reference).then(
      () => true,
      () => false,
    );
  }

  #failedLately(key: string): boolean {
    return (this.#failedUntil.get(key) ?? 0) > this.#options.clock.monotonic();
  }

  #begin(key: string, reference: string, encodedAuth: string | undefined): SharedPull {
    const { clock, images, limits, logger } = this.#options;
    const auth = readRegistryAuth(encodedAuth);
    const pull = new SharedPull({
      clock,
      patienceMs: limits.registryPatienceMs,
      pull: (signal) => images.pull(reference, { ...(auth ? { auth } : {}), signal }),
      onEnd: ({ abandoned, error }) => {
        this.#pulls.delete(key);
        if (abandoned) return;
        if (error === undefined) return void this.#failedUntil.delete(key);
        const fields = { image: reference, error: errorMessage(error) };
        logger.warn(fields, 'pulling image failed');
        this.#remember(key);
      },
    });
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
