import { BACKENDS_PER_SERVICE_MAX } from '../limits.js';
import type { ElementDiff, Elements } from './element-diff.js';
import { type Choice, type Pick, pickMark } from './pick.js';
import { BalanceSet } from './sets.js';
import { arrange } from './slots.js';

/** Who is behind a key. Without targets, clients are refused at once. */
export interface Balanced {
  targets: readonly string[];
  choice: Choice;
}

const SEPARATOR = ' . ';

/** The key of a slot in the map of backends, as nft's JSON has it: marks are decimal there. */
export function slotKey(key: string, slot: number): string {
  return `${key}${SEPARATOR}${slot}`;
}

/**
 * Which backends stand in which slots. Those of a key fill slots 0 … n-1 without gaps, so that a change
 * touches a handful of elements, however many keys there are.
 */
export class BalanceLayout {
  readonly #keys = new Map<string, Balanced>();

  /** How many keys there are. */
  get size(): number {
    return this.#keys.size;
  }

  keys(): string[] {
    return [...this.#keys.keys()];
  }

  /** Its targets in the order of their slots. */
  get(key: string): Balanced | undefined {
    return this.#keys.get(key);
  }

  /** Puts these backends behind a key, or takes the key away; what that changes is added to `diff`. */
  set(key: string, wanted: Balanced | undefined, diff: ElementDiff): void {
    const before = this.#keys.get(key);
    const bounded = wanted?.targets.slice(0, BACKENDS_PER_SERVICE_MAX) ?? [];
    const targets = arrange(before?.targets ?? [], bounded);
    const after = wanted && { targets, choice: wanted.choice };
    const { SERVICES, BACKENDS } = BalanceSet;
    diff.note(SERVICES, key, markOf(before), markOf(after));
    const slots = Math.max(targets.length, before?.targets.length ?? 0);
    for (let slot = 0; slot < slots; slot++) {
      const [standing, next] = [before?.targets[slot], targets[slot]];
      if (standing !== next) diff.note(BACKENDS, slotKey(key, slot), standing, next);
    }
    if (after) {
      diff.requires(pickOf(after));
      this.#keys.set(key, after);
    } else {
      this.#keys.delete(key);
    }
  }

  /**
   * Starts from the slots that a process before this one had given, so that what is the same stays
   * where it is. To be followed by `set` for each key; the kernel is compared afterwards.
   */
  adopt(elements: Elements, isMine: (key: string) => boolean): void {
    const found = new Map<string, string[]>();
    for (const [place, target] of elements.get(BalanceSet.BACKENDS) ?? []) {
      const end = place.lastIndexOf(SEPARATOR);
      const key = place.slice(0, end);
      const slot = Number(place.slice(end + SEPARATOR.length));
      if (!isMine(key) || !(slot < BACKENDS_PER_SERVICE_MAX)) continue;
      const targets = found.get(key) ?? [];
      targets[slot] = target;
      found.set(key, targets);
    }
    for (const [key, sparse] of found) {
      // Nobody is called '': a gap is filled by whoever comes next.
      const targets = Array.from(sparse, (target) => target ?? '');
      this.#keys.set(key, { targets, choice: 'random' });
    }
  }

  /** All of it, as into a table that has nothing yet. */
  addTo(diff: ElementDiff): void {
    for (const [key, balanced] of this.#keys) {
      diff.note(BalanceSet.SERVICES, key, undefined, markOf(balanced));
      diff.requires(pickOf(balanced));
      for (const [slot, target] of balanced.targets.entries()) {
        diff.note(BalanceSet.BACKENDS, slotKey(key, slot), undefined, target);
      }
    }
  }
}

function pickOf({ targets, choice }: Balanced): Pick {
  return { count: targets.length, choice };
}

function markOf(balanced: Balanced | undefined): string | undefined {
  return balanced && pickMark(pickOf(balanced));
}
