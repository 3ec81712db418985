import type { ServiceObject } from '@skep/wire';
import { must } from '../engine/index.js';
import type { Wish } from './specs.js';

/** A service as it may be in the end; undefined: it is not there. */
type Possible = Wish | undefined;

/**
 * What becomes of services, as far as their owner was told. A request without an answer, or with an error, may have
 * been carried out or not; one that was acknowledged was, and rules out all before it: they named an older version.
 * Only a removal names none, so one that is not answered may yet be carried out later.
 */
export class Wishes {
  readonly #possible = new Map<string, Possible[]>();
  readonly #mayVanish = new Set<string>();

  /** A service is asked for; the result is called when that was acknowledged. */
  create(wish: Wish): () => void {
    this.#add(wish.name, wish);
    return () => {
      // The one before is gone, and so is whatever might have happened to it.
      this.#mayVanish.delete(wish.name);
      this.#settle(wish.name, wish);
    };
  }

  update(wish: Wish): () => void {
    this.#add(wish.name, wish);
    return () => this.#settle(wish.name, wish);
  }

  remove(name: string): () => void {
    this.#add(name, undefined);
    this.#mayVanish.add(name);
    return () => this.#settle(name, undefined);
  }

  /** Nothing acknowledged is lost, and nothing is there that nobody asked for. */
  check(services: Iterable<ServiceObject>): void {
    const found = new Map([...services].map((service) => [service.spec.annotations.name, service]));
    for (const [name, possible] of this.#possible) {
      const service = found.get(name);
      must(
        possible.some((wish) => isAs(service, wish)),
        'acknowledged',
        () => `${name} is ${textOf(service)}, and may only be ${JSON.stringify(possible)}`,
      );
    }
  }

  #add(name: string, possible: Possible): void {
    this.#possible.set(name, [...(this.#possible.get(name) ?? [undefined]), possible]);
  }

  #settle(name: string, wish: Possible): void {
    this.#possible.set(name, this.#mayVanish.has(name) ? [wish, undefined] : [wish]);
  }
}

function isAs(service: ServiceObject | undefined, wish: Possible): boolean {
  if (!service || !wish) return !service && !wish;
  const { mode, task } = service.spec;
  const replicas = mode.case === 'replicated' ? Number(mode.value.replicas) : undefined;
  const image = task.runtime.case === 'container' ? task.runtime.value.image : '';
  return replicas === wish.replicas && image === wish.image;
}

function textOf(service: ServiceObject | undefined): string {
  if (!service) return 'not there';
  const { mode, task } = service.spec;
  const replicas = mode.case === 'replicated' ? mode.value.replicas : 'global';
  const image = task.runtime.case === 'container' ? task.runtime.value.image : '';
  return `${replicas} of ${image}`;
}
