import { TaskState } from '@skep/wire/swarmkit';
import { hasEnded, isLive } from '../orchestrator/slot.js';
import type { Dirty, Settled, SlotProgress, Starting } from './progress.js';

/** A slot's number, or its node's id. */
export type SlotName = bigint | string;

/** The slots of an update by how far they are. What it had nothing to do with is not among them. */
export interface Board {
  /** How many slots are the update's. */
  readonly size: number;
  /** Slots that wait for their turn. */
  readonly dirtyCount: number;
  /**
   * The first of those, at most `countMax`: what another update had in work comes before what is at
   * rest, so that overtaking it takes no more slots than one update.
   */
  nextDirty(countMax: number): Dirty[];
  readonly starting: ReadonlySet<Starting>;
  readonly settled: ReadonlySet<Settled>;
  /** Settled ones whose task has ended since. */
  readonly ended: ReadonlySet<Settled>;
  /** Slots with live tasks besides the one that is to stay. */
  readonly crowded: ReadonlySet<SlotProgress>;
}

/** A board kept slot by slot: a look at it costs what is asked of it, not a walk over all slots. */
export class SortedBoard implements Board {
  readonly starting = new Set<Starting>();
  readonly settled = new Set<Settled>();
  readonly ended = new Set<Settled>();
  readonly crowded = new Set<SlotProgress>();
  readonly #bySlot = new Map<SlotName, SlotProgress>();
  readonly #inWork = new Queue();
  readonly #atRest = new Queue();

  get size(): number {
    return this.dirtyCount + this.starting.size + this.settled.size;
  }

  get dirtyCount(): number {
    return this.#inWork.size + this.#atRest.size;
  }

  nextDirty(countMax: number): Dirty[] {
    const first = this.#inWork.first(countMax);
    return [...first, ...this.#atRest.first(countMax - first.length)];
  }

  put(name: SlotName, progress: SlotProgress): void {
    const before = this.#bySlot.get(name);
    if (before) this.#take(name, before);
    this.#bySlot.set(name, progress);
    if (progress.kind === 'untouched') return;
    if (progress.surplus.length > 0) this.crowded.add(progress);
    if (progress.kind === 'starting') this.starting.add(progress);
    else if (progress.kind === 'dirty') this.#queueOf(progress).set(name, progress);
    else this.#settle(progress);
  }

  drop(name: SlotName): void {
    const before = this.#bySlot.get(name);
    if (before) this.#take(name, before);
    this.#bySlot.delete(name);
  }

  #take(name: SlotName, progress: SlotProgress): void {
    this.crowded.delete(progress);
    if (progress.kind === 'starting') this.starting.delete(progress);
    if (progress.kind === 'dirty') this.#queueOf(progress).delete(name);
    if (progress.kind !== 'settled') return;
    this.settled.delete(progress);
    this.ended.delete(progress);
  }

  #settle(progress: Settled): void {
    this.settled.add(progress);
    if (hasEnded(progress.task)) this.ended.add(progress);
  }

  #queueOf(progress: Dirty): Queue {
    return isAtRest(progress) ? this.#atRest : this.#inWork;
  }
}

/** Whether the slot has one task, and that serves. */
function isAtRest({ slot }: Dirty): boolean {
  const live = slot.filter(isLive);
  return live.length === 1 && live[0]?.status.state === TaskState.RUNNING;
}

/** Slots by name, in its order; put in order only where one came out of it, which is rare. */
class Queue {
  #slots = new Map<SlotName, Dirty>();
  #last: SlotName | undefined;
  #isInOrder = true;

  get size(): number {
    return this.#slots.size;
  }

  set(name: SlotName, slot: Dirty): void {
    if (this.#last !== undefined && name < this.#last) this.#isInOrder = false;
    this.#last = name;
    this.#slots.set(name, slot);
  }

  delete(name: SlotName): void {
    this.#slots.delete(name);
  }

  first(countMax: number): Dirty[] {
    if (!this.#isInOrder) {
      const sorted = [...this.#slots].sort(([a], [b]) => (a < b ? -1 : 1));
      this.#slots = new Map(sorted);
      this.#last = sorted.at(-1)?.[0];
      this.#isInOrder = true;
    }
    const slots: Dirty[] = [];
    for (const slot of this.#slots.values()) {
      if (slots.length >= countMax) break;
      slots.push(slot);
    }
    return slots;
  }
}
