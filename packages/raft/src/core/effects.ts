import { EntryType, type HardState, type LogEntry } from '../log/entry.js';
import type { Common } from './common.js';
import type { Effects } from './contract.js';

const NO_ENTRIES: readonly LogEntry[] = [];

/** Gathers what a core wants of the outside, and what it has asked for already. */
export class EffectsTaker {
  readonly #common: Common;
  #sequence = 0;
  #handed: HardState;
  #isCommitDue = false;

  constructor(common: Common) {
    this.#common = common;
    const { term, vote, log } = common;
    this.#handed = { term, vote, commit: log.commit };
  }

  /**
   * A commit alone is not worth a sync: it goes with whatever is written next. This makes the next
   * effects write it down, where it has changed.
   */
  writeCommit(): void {
    this.#isCommitDue = this.#handed.commit !== this.#common.log.commit;
  }

  /** Undefined when nothing is to be done. */
  take(): Effects | undefined {
    const { log, outbox } = this.#common;
    const write = log.takeWrite();
    const committed = log.takeCommitted();
    // Who votes must not be forgotten: of two voters the one that removed the other could not be
    // elected again.
    if (committed.some(({ type }) => type !== EntryType.EntryNormal)) this.writeCommit();
    const hardState = this.#takeHardState(write !== undefined);
    if (!write && !hardState && committed.length === 0 && outbox.isEmpty) return undefined;
    const sequence = ++this.#sequence;
    if (write || hardState) log.writing(sequence);
    const { messages, messagesWhenDurable, reads } = outbox.take();
    const effects: Effects = {
      sequence,
      messages,
      hardState,
      entries: write?.entries ?? NO_ENTRIES,
      snapshot: write?.snapshot,
      messagesWhenDurable,
      committed,
      reads,
    };
    if (this.#common.hasFault('acknowledge-before-durable')) {
      effects.messages = [...messages, ...messagesWhenDurable];
      effects.messagesWhenDurable = [];
    }
    return effects;
  }

  /**
   * The commit goes with every entry written: a follower that holds a second change of membership
   * must know after a restart that the first one is committed, or it would stand for election among
   * the wrong voters.
   */
  #takeHardState(isWriting: boolean): HardState | undefined {
    const { term, vote, log } = this.#common;
    const handed = this.#handed;
    const hasChanged = term !== handed.term || vote !== handed.vote;
    const isCommitDue = (isWriting || this.#isCommitDue) && log.commit !== handed.commit;
    this.#isCommitDue = false;
    if (!hasChanged && !isCommitDue) return undefined;
    this.#handed = { term, vote, commit: log.commit };
    return this.#handed;
  }
}
