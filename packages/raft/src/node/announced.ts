import { EntryType, type LogEntry } from '../log/entry.js';
import { announcedMember, type Member } from '../membership.js';

/**
 * The member that an entry of the log takes in, from the moment the entry is there. Whether it is
 * committed may be known to that member alone, once the leader died that told it; then it can only
 * lead, and end the uncertainty, if those that have the entry answer it.
 */
export class Announced {
  #index = 0n;
  #member: Member | undefined;

  /** Undefined where the log holds none. One that was applied since is an ordinary member too. */
  get member(): Member | undefined {
    return this.#member;
  }

  /** These entries are in the log now, and nothing after them. Returns whether that is news. */
  note(entries: readonly LogEntry[]): boolean {
    const before = this.#member;
    for (const { index, type, data } of entries) {
      const isOverwritten = index <= this.#index;
      if (type === EntryType.EntryConfChange) {
        this.#member = announcedMember(data);
        this.#index = index;
      } else if (isOverwritten) {
        this.#member = undefined;
        this.#index = 0n;
      }
    }
    return this.#member !== before;
  }
}
