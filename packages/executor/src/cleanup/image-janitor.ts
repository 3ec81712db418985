import type { Images, TaskImage } from '@skep/containers';
import { type Cancel, type Clock, errorMessage, type Logger } from '@skep/platform';
import { type DiskSpace, type ImageGcPolicy, lookIntervalMs, usedPercent } from './policy.js';

export interface ImageJanitorOptions {
  images: Pick<Images, 'unusedTaskImages' | 'collect' | 'resolve'>;
  /**
   * Images that the swarm's tasks and services need, as their specs have them; none outside a swarm.
   * Rejects where nobody can say.
   */
  needed(): Promise<readonly string[]>;
  /** The file system that images are kept on. */
  space(): Promise<DiskSpace>;
  policy: ImageGcPolicy;
  clock: Clock;
  logger: Logger;
}

/**
 * Removes images that tasks of the swarm left here, when the disk gets full or they grow old. Never one
 * that a user pulled, loaded or named, that a container is made from, or that some service of the swarm
 * has, or had before its last update, so that rolling back needs no registry.
 */
export class ImageJanitor {
  readonly #options: ImageJanitorOptions;
  #cancel: Cancel = () => {};
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;
  /** It was said that nothing could be done about a full disk. */
  #hasWarned = false;

  constructor(options: ImageJanitorOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, policy } = this.#options;
    this.#cancel = clock.after(lookIntervalMs(policy), () => {
      this.#looking = this.look().then(() => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#looking;
  }

  /** Looks once. What fails is tried at the next look. */
  async look(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      const fields = { error: errorMessage(error) };
      this.#options.logger.info(fields, 'images that are in nobody’s use were not looked for');
    }
  }

  async #look(): Promise<void> {
    const { policy, space } = this.#options;
    const percent = usedPercent(await space());
    const isFull = percent > policy.highPercent;
    if (!isFull) this.#hasWarned = false;
    if (!isFull && policy.maxAgeMs === 0) return;
    const unneeded = await this.#unneeded();
    let isStillFull = isFull;
    for (const image of unneeded) {
      if (this.#isStopped) return;
      const isOld = policy.maxAgeMs > 0 && this.#ageMs(image) > policy.maxAgeMs;
      if (!isOld && !isStillFull) return;
      await this.#remove(image, isOld ? 'unused for long' : 'the disk is full');
      if (isStillFull) isStillFull = usedPercent(await space()) > policy.lowPercent;
    }
    if (isStillFull) this.#warn(percent);
  }

  /** Least recently used first. */
  async #unneeded(): Promise<TaskImage[]> {
    const { images, needed } = this.#options;
    const unused = await images.unusedTaskImages();
    if (unused.length === 0) return [];
    const kept = new Set<string>();
    for (const image of await needed()) {
      const found = await images.resolve(image).catch(() => undefined);
      if (found) kept.add(found.id);
    }
    return unused.filter(({ id }) => !kept.has(id)).sort((a, b) => a.lastUseMs - b.lastUseMs);
  }

  #ageMs({ lastUseMs }: TaskImage): number {
    return this.#options.clock.now() - lastUseMs;
  }

  async #remove(image: TaskImage, reason: string): Promise<void> {
    const { images, logger } = this.#options;
    const bytes = await images.collect(image.id);
    if (bytes === undefined) return;
    logger.info({ image: image.id, bytes, reason }, 'an image that nobody needs was removed');
  }

  #warn(percent: number): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const fields = { percent: Math.round(percent) };
    this.#options.logger.warn(fields, 'the disk is filling up, and no image can be spared');
  }
}
