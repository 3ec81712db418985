import type { ContainerEngine, EngineEvent } from '@skep/containers';

type Listener = (action: string) => void;

/** Hands each container's events to those who listen to that container. */
export class ContainerEvents {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #general = new Set<Listener>();
  readonly #unsubscribe: () => void;

  constructor(engine: Pick<ContainerEngine, 'onEvent'>) {
    this.#unsubscribe = engine.onEvent((event) => this.#deliver(event));
  }

  /** Calls `listener` with the actions (`start`, `die`, `health_status: healthy`, …) from now on. */
  listen(containerId: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(containerId) ?? new Set();
    this.#listeners.set(containerId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(containerId) === listeners) {
        this.#listeners.delete(containerId);
      }
    };
  }

  /** Calls `listener` with the actions of every container, also of those not made yet. */
  listenToAll(listener: Listener): () => void {
    this.#general.add(listener);
    return () => void this.#general.delete(listener);
  }

  close(): void {
    this.#unsubscribe();
  }

  #deliver(event: EngineEvent): void {
    if (event.Type !== 'container') return;
    const own = this.#listeners.get(event.Actor.ID) ?? [];
    for (const listener of [...own, ...this.#general]) listener(event.Action);
  }
}
