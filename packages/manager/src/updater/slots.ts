import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { isActive, mayHaveTask } from '../orchestrator/global.js';
import { isReplicated } from '../orchestrator/mode.js';
import { isHeld } from '../orchestrator/replicated.js';
import { isLive, oldestFirst, type Slot, slotsOf } from '../orchestrator/slot.js';
import { type Board, type SlotName, SortedBoard } from './board.js';
import { progressOf, type SlotProgress } from './progress.js';

export interface SlotsOfUpdate {
  /** How far each slot is that the update deals with. */
  board: Board;
  /** Tasks on paused nodes that an overtaken update left there besides the one that is kept. */
  leftOver: readonly TaskObject[];
}

/**
 * Reads how far the slots of a service are that an update works on: numbers, or nodes that take
 * tasks. Most looks at a large service come from a few slots; what the others are at is read anew
 * only when one of their tasks, the service or a node has changed.
 */
export class SlotReader {
  #service: ServiceObject | undefined;
  #lists = new Map<SlotName, Slot>();
  #board = new SortedBoard();

  read(view: ReadView, service: ServiceObject): SlotsOfUpdate {
    if (service !== this.#service) this.forget();
    this.#service = service;
    if (!isReplicated(service)) return readNodes(view, service);
    const lists = view.slotsOfService(service.id);
    const changed = new Map<SlotName, Slot>();
    lists.forEach((list, name) => {
      if (this.#lists.get(name) !== list) changed.set(name, list);
    });
    if (changed.size > 0) this.#readAnew(view, service, changed);
    if (this.#lists.size > lists.size) this.#drop(lists);
    return { board: this.#board, leftOver: [] };
  }

  /** What nodes are like counts as well: tasks hand over on one that is drained. */
  forget(): void {
    this.#lists = new Map();
    this.#board = new SortedBoard();
  }

  #readAnew(view: ReadView, service: ServiceObject, changed: Map<SlotName, Slot>): void {
    for (const [name, list] of changed) {
      this.#lists.set(name, list);
      const slot = oldestFirst(list);
      if (isHeld(view, service, slot)) this.#board.put(name, progressOf(view, service, slot));
      else this.#board.drop(name);
    }
  }

  /** Slots that have lost their last task. */
  #drop(lists: ReadonlyMap<SlotName, Slot>): void {
    for (const name of this.#lists.keys()) {
      if (lists.has(name)) continue;
      this.#lists.delete(name);
      this.#board.drop(name);
    }
  }
}

/**
 * The slots of a global service. A node that was paused while its slot was in work is no reason to
 * leave two tasks there: what has reached it comes to its end.
 */
function readNodes(view: ReadView, service: ServiceObject): SlotsOfUpdate {
  const board = new SortedBoard();
  const leftOver: TaskObject[] = [];
  for (const [nodeId, slot] of slotsOf(view, service)) {
    const node = view.get('node', String(nodeId));
    if (!node || !mayHaveTask(service, node) || !isHeld(view, service, slot)) continue;
    const progress = progressOf(view, service, slot);
    if (isActive(node) || goesOn(progress)) board.put(nodeId, progress);
    else if (progress.kind === 'dirty') leftOver.push(...allButOne(slot.filter(isLive)));
  }
  return { board, leftOver };
}

/** Whether a paused node has the slot's new task: one that it has not got it does not get now. */
function goesOn(slot: SlotProgress): boolean {
  if (slot.kind === 'starting') return slot.fresh.status.state >= TaskState.ASSIGNED;
  return slot.kind === 'settled';
}

/** One stays, best one that serves. Unlike a slot that waits its turn, none of the others comes to run. */
function allButOne(live: readonly TaskObject[]): TaskObject[] {
  const kept = live.findLast(({ status }) => status.state === TaskState.RUNNING) ?? live.at(-1);
  return live.filter((task) => task !== kept);
}
