import type { Clock } from '@skep/platform';
import type { EngineEvent } from '../contract/state.js';

/** Hands events to all listeners, in order, in the turn in which they happen. */
export class EventBus {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #lastNs = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  on(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(
    type: EngineEvent['Type'],
    action: string,
    id: string,
    attributes: Record<string, string>,
  ): void {
    const nowNs = BigInt(Math.floor(this.#clock.now() * 1000)) * 1000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    const event: EngineEvent = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      timeNano: this.#lastNs,
    };
    for (const listener of this.#listeners) listener(event);
  }
}
