/** Who wants to be told of something. */
export class Listeners<T extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: T) => void>();

  /** Returns how to take it away again. */
  add(listener: (...args: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(...args: T): void {
    for (const listener of [...this.#listeners]) listener(...args);
  }
}
