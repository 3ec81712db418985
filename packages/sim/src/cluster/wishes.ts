import { must } from '../engine/index.js';

/** What is said of what is not there. */
const NOT_THERE = 'not there';

/** What somebody asks for, in words. */
export interface Wish {
  /** Of a service, or a config. */
  name: string;
  text: string;
  /** It may be taken back by itself, to any of what was possible before. */
  returns?: boolean;
}

/**
 * What becomes of services and configs, as far as their owner was told. A request without an answer, or with an error,
 * may have been carried out or not; one that was acknowledged was, and rules out all before it: they named an older
 * version. Only a removal names none, so one that is not answered may yet be carried out later.
 */
export class Wishes {
  readonly #possible = new Map<string, readonly string[]>();
  readonly #mayVanish = new Set<string>();

  /** Something is asked for; the result is called when that was acknowledged. */
  create({ name, text }: Wish): () => void {
    this.#add(name, text);
    return () => {
      // The one before is gone, and so is whatever might have happened to it.
      this.#mayVanish.delete(name);
      this.#settle(name, [text]);
    };
  }

  update({ name, returns, text }: Wish): () => void {
    const before = this.#add(name, text);
    return () => this.#settle(name, [text, ...(returns ? before : [])]);
  }

  remove(name: string): () => void {
    this.#add(name, NOT_THERE);
    this.#mayVanish.add(name);
    return () => this.#settle(name, [NOT_THERE]);
  }

  /** Nothing acknowledged is lost, and nothing is there that nobody asked for. `found` is by name. */
  check(found: ReadonlyMap<string, string>): void {
    for (const [name, possible] of this.#possible) {
      const text = found.get(name) ?? NOT_THERE;
      must(
        possible.includes(text),
        'acknowledged',
        () => `${name} is ${text}, and may only be ${possible.join('; or ')}`,
      );
    }
  }

  /** Returns what was possible of something that is there. */
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
