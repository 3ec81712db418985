import type { ElementDiff } from '../balance/element-diff.js';
import { slotKey } from '../balance/layout.js';
import { type Pick, pickMark } from '../balance/pick.js';
import { BalanceSet } from '../balance/sets.js';
import { AFFINITY_SLOTS } from '../limits.js';
import { rendezvous } from '../vip/rendezvous.js';

const PICK: Pick = { count: AFFINITY_SLOTS, choice: 'client' };
const MARK = pickMark(PICK);

/**
 * Slots of ports whose clients stay with one task. A client's address leads to a slot, and a slot to
 * a task, in the same way on every node: whichever node is asked, the client meets the same task. A
 * task that comes or goes takes its share of slots and moves nobody else.
 */
export class StickyLayout {
  /** Port → target of each slot. */
  readonly #slots = new Map<string, readonly string[]>();

  has(key: string): boolean {
    return this.#slots.has(key);
  }

  /** Without targets the port has no entry. */
  set(key: string, targets: readonly string[], diff: ElementDiff): void {
    const { SERVICES, BACKENDS } = BalanceSet;
    const before = this.#slots.get(key);
    if (!before && targets.length === 0) return;
    const after = targets.length > 0 ? slotsOf(targets) : undefined;
    diff.note(SERVICES, key, before && MARK, after && MARK);
    for (let slot = 0; slot < AFFINITY_SLOTS; slot++) {
      diff.note(BACKENDS, slotKey(key, slot), before?.[slot], after?.[slot]);
    }
    if (after) {
      diff.requires(PICK);
      this.#slots.set(key, after);
    } else {
      this.#slots.delete(key);
    }
  }

  /** All of it, as into a table that has nothing yet. */
  addTo(diff: ElementDiff): void {
    if (this.#slots.size > 0) diff.requires(PICK);
    for (const [key, slots] of this.#slots) {
      diff.note(BalanceSet.SERVICES, key, undefined, MARK);
      for (const [slot, target] of slots.entries()) {
        diff.note(BalanceSet.BACKENDS, slotKey(key, slot), undefined, target);
      }
    }
  }
}

function slotsOf(targets: readonly string[]): string[] {
  return Array.from({ length: AFFINITY_SLOTS }, (_, slot) => {
    return rendezvous(String(slot), targets) ?? '';
  });
}
