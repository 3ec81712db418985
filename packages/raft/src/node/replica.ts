import { invariant } from '@skep/platform';
import type { ClusterSnapshot } from '@skep/wire/swarmkit';
import type { StateMachine } from '../contract.js';
import { EntryType, type LogEntry, type LogPosition } from '../log/entry.js';
import { Membership } from '../membership.js';
import { decodeContents } from '../snapshot/contents.js';
import type { RaftSnapshot } from '../snapshot/file.js';

/** A state that is held on to, and not encoded yet. */
export interface Capture extends Omit<RaftSnapshot, 'data'> {
  membership: ClusterSnapshot;
  /** Of a `StoreSnapshot`, made as they are asked for. */
  parts: Iterable<Uint8Array>;
}

/** What the applied part of the log amounts to: the state machine's state and the membership. */
export class Replica {
  readonly membership = new Membership();
  readonly #machine: StateMachine;
  #applied: LogPosition = { index: 0n, term: 0n };
  #bytesApplied = 0;

  constructor(machine: StateMachine) {
    this.#machine = machine;
  }

  /** Position of the last entry applied, which is derived at each start and stored nowhere. */
  get applied(): LogPosition {
    return this.#applied;
  }

  /** Payload bytes of all entries applied since the start. */
  get bytesApplied(): number {
    return this.#bytesApplied;
  }

  /**
   * Applies a committed entry that follows the last one applied. Returns whether the membership
   * changed.
   */
  apply({ index, term, type, data }: LogEntry): boolean {
    invariant(index === this.#applied.index + 1n, 'applied out of order', {
      index: `${index}`,
      applied: `${this.#applied.index}`,
    });
    this.#applied = { index, term };
    this.#bytesApplied += data.length;
    if (type === EntryType.EntryNormal) this.#machine.apply(index, data);
    else if (type === EntryType.EntryConfChange) this.membership.apply(data);
    return type === EntryType.EntryConfChange;
  }

  /**
   * Holds on to the state as of now, under the position of the last entry applied unless another is
   * given.
   */
  capture(position = this.#applied): Capture {
    const { voters } = this.membership;
    const membership = this.membership.snapshot();
    return { ...position, voters, membership, parts: this.#machine.snapshot() };
  }

  /** Throws when the snapshot cannot be read; nothing is changed then. */
  restore({ index, term, voters, data }: RaftSnapshot): void {
    const { membership, store } = decodeContents(data);
    this.membership.restore(membership, voters);
    this.#machine.restore(store);
    this.#applied = { index, term };
  }
}
