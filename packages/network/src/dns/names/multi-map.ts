/** Several values under a key; a value is put under it once. */
export class MultiMap<V> {
  readonly #values = new Map<string, Set<V>>();

  add(key: string, value: V): void {
    const values = this.#values.get(key);
    if (values) values.add(value);
    else this.#values.set(key, new Set([value]));
  }

  remove(key: string, value: V): void {
    const values = this.#values.get(key);
    if (values?.delete(value) && values.size === 0) this.#values.delete(key);
  }

  /** In the order they came; undefined when there is none. */
  get(key: string): ReadonlySet<V> | undefined {
    return this.#values.get(key);
  }
}
