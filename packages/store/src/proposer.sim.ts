import { invariant } from '@skep/platform';
import type { Proposer, StateMachine } from './contract.js';

/**
 * A log in memory for tests: commits each entry at the next turn of the event loop, or, with
 * `automatic: false`, when {@link SimProposer.commit} says so.
 */
export class SimProposer implements Proposer {
  readonly entries: Uint8Array[] = [];
  /** Whether entries commit by themselves, from now on. */
  automatic: boolean;
  readonly #machine: StateMachine;
  #applied = 0;
  #refusal: Error | undefined;

  constructor(machine: StateMachine, options: { automatic?: boolean } = {}) {
    this.#machine = machine;
    this.automatic = options.automatic ?? true;
  }

  get nextIndex(): bigint {
    return BigInt(this.entries.length + 1);
  }

  propose(entry: Uint8Array): void {
    if (this.#refusal) throw this.#refusal;
    this.entries.push(entry);
    if (this.automatic) queueMicrotask(() => this.commit());
  }

  /** Applies everything proposed so far. */
  commit(): void {
    while (this.#applied < this.entries.length) {
      const entry = this.entries[this.#applied++];
      invariant(entry, 'entry missing');
      this.#machine.apply(BigInt(this.#applied), entry);
    }
  }

  /** Loses everything not yet applied, as a lost leadership would. */
  lose(reason: Error): void {
    this.entries.length = this.#applied;
    this.#machine.abort(reason);
  }

  /** Refuses proposals with this error until called with undefined. */
  refuse(error: Error | undefined): void {
    this.#refusal = error;
  }
}
