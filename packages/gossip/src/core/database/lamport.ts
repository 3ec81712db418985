import { LAMPORT_TIME_MAX } from '../../limits.js';

/** Counts events in an order that all nodes agree on. */
export class LamportClock {
  #time = 0n;

  get time(): bigint {
    return this.#time;
  }

  /** The time of an event of this node. */
  next(): bigint {
    return ++this.#time;
  }

  /** Another node's event is past. */
  witness(time: bigint): void {
    if (time >= this.#time) this.#time = time + 1n;
  }
}

/** Whether somebody can have counted to there. */
export function isPlausible(time: bigint): boolean {
  return time <= LAMPORT_TIME_MAX;
}
