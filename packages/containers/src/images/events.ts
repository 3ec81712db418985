import type { Clock } from '@skep/platform';
import type { EngineEvent } from '../contract/state.js';

const NANOS_PER_MS = 1_000_000;

export type ImageAction = 'pull' | 'load' | 'tag' | 'untag' | 'delete';

/** Tells listeners what happened to images, in the shape of GET /events. */
export class ImageEvents {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: EngineEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** `id`: image id, or the reference for a pull. `labels` are those of the image. */
  emit(action: ImageAction, id: string, name: string, labels: Record<string, string> = {}): void {
    const event: EngineEvent = {
      Type: 'image',
      Action: action,
      Actor: { ID: id, Attributes: { ...labels, name } },
      timeNano: BigInt(Math.round(this.#clock.now() * NANOS_PER_MS)),
    };
    for (const listener of [...this.#listeners]) listener(event);
  }
}
