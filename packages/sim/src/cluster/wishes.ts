import type { ServiceObject } from '@skep/wire';
import { UpdateConfig_FailureAction as FailureAction, type ServiceSpec } from '@skep/wire/swarmkit';
import { must } from '../engine/index.js';
import { describeSpec } from './services/index.js';

/** What is said of a service that is not there. */
const NOT_THERE = 'not there';

/**
 * What becomes of services, as far as their owner was told, in words. A request without an answer, or with an error, may have
 * been carried out or not; one that was acknowledged was, and rules out all before it: they named an older version.
 * Only a removal names none, so one that is not answered may yet be carried out later. An update that fails may be
 * taken back by itself, to any of what was possible before.
 */
export class Wishes {
  readonly #possible = new Map<string, readonly string[]>();
  readonly #mayVanish = new Set<string>();

  /** A service is asked for; the result is called when that was acknowledged. */
  create(spec: ServiceSpec): () => void {
    const name = nameOf(spec);
    this.#add(name, describeSpec(spec));
    return () => {
      // The one before is gone, and so is whatever might have happened to it.
      this.#mayVanish.delete(name);
      this.#settle(name, [describeSpec(spec)]);
    };
  }

  update(spec: ServiceSpec): () => void {
    const name = nameOf(spec);
    const before = this.#add(name, describeSpec(spec));
    const returns = spec.update?.failureAction === FailureAction.ROLLBACK;
    return () => this.#settle(name, [describeSpec(spec), ...(returns ? before : [])]);
  }

  remove(name: string): () => void {
    this.#add(name, NOT_THERE);
    this.#mayVanish.add(name);
    return () => this.#settle(name, [NOT_THERE]);
  }

  /** Nothing acknowledged is lost, and nothing is there that nobody asked for. */
  check(services: Iterable<ServiceObject>): void {
    const found = new Map([...services].map((service) => [service.spec.annotations.name, service]));
    for (const [name, possible] of this.#possible) {
      const text = textOf(found.get(name));
      must(
        possible.includes(text),
        'acknowledged',
        () => `${name} is ${text}, and may only be ${possible.join('; or ')}`,
      );
    }
  }

  /** Returns what was possible of a service that is there. */
  #add(name: string, possible: string): readonly string[] {
    const before = this.#possible.get(name) ?? [NOT_THERE];
    this.#possible.set(name, [...before, possible]);
    return before.filter((text) => text !== NOT_THERE);
  }

  #settle(name: string, possible: readonly string[]): void {
    const mayVanish = this.#mayVanish.has(name);
    this.#possible.set(name, mayVanish ? [...possible, NOT_THERE] : possible);
  }
}

function nameOf({ annotations }: ServiceSpec): string {
  return annotations?.name ?? '';
}

function textOf(service: ServiceObject | undefined): string {
  return service ? describeSpec(service.spec) : NOT_THERE;
}
