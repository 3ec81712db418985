/** A question that waits for servers outside. */
export interface Waiting {
  /** Ends it unanswered. */
  abandon(): void;
}

/**
 * Places for questions that wait for servers outside. When all are taken, the container that has the
 * most gives up its oldest for one that has less: a flood from one container costs that one alone.
 */
export class Places {
  readonly #max: number;
  readonly #taken = new Map<string, Set<Waiting>>();
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** False when there is none for this container. */
  take(containerId: string, question: Waiting): boolean {
    if (this.#count >= this.#max && !this.#makeRoom(containerId)) return false;
    const own = this.#taken.get(containerId) ?? new Set();
    this.#taken.set(containerId, own.add(question));
    this.#count++;
    return true;
  }

  give(containerId: string, question: Waiting): void {
    const own = this.#taken.get(containerId);
    if (!own?.delete(question)) return;
    if (own.size === 0) this.#taken.delete(containerId);
    this.#count--;
  }

  /** Abandons all of a container's questions. */
  clear(containerId: string): void {
    for (const question of [...(this.#taken.get(containerId) ?? [])]) {
      this.give(containerId, question);
      question.abandon();
    }
  }

  #makeRoom(containerId: string): boolean {
    let most = '';
    let questions = this.#taken.get(containerId) ?? new Set();
    const own = questions.size;
    for (const [id, theirs] of this.#taken) {
      if (theirs.size > questions.size) [most, questions] = [id, theirs];
    }
    const [oldest] = questions;
    if (!oldest || questions.size <= own + 1) return false;
    this.give(most, oldest);
    oldest.abandon();
    return true;
  }
}
