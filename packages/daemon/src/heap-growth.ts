import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import type { Cancel, Clock } from '@skep/platform';

const LOOK_EVERY_MS = 1_000;
const MIB = 2 ** 20;
/** A node with fifty containers has about 27 MiB alive; the manager of a large swarm, or a busy one, more. */
const LARGE_BYTES = 42 * MIB;
const SMALL_BYTES = 36 * MIB;
/** How much a heap grows between two collections of its old objects; the small one's stands in bin/skepd. */
const SMALL_PERCENT = 20;
const LARGE_PERCENT = 100;

/** The JavaScript heap of this process. */
export interface Heap {
  usedBytes(): number;
  setGrowth(percent: number): void;
}

export const v8Heap: Heap = {
  usedBytes: () => getHeapStatistics().used_heap_size,
  setGrowth: (percent) => setFlagsFromString(`--heap-growing-percent=${percent}`),
};

/**
 * Collects a small heap early, which keeps a small node small, and a large one late: each collection
 * walks all of it, and under load would take a quarter of the time (bench/README.md).
 */
export function adaptHeapGrowth(clock: Clock, heap: Heap = v8Heap): Cancel {
  let isLarge = false;
  let cancel: Cancel = () => {};
  const look = () => {
    cancel = clock.after(LOOK_EVERY_MS, look);
    const used = heap.usedBytes();
    const becomesLarge = isLarge ? used >= SMALL_BYTES : used > LARGE_BYTES;
    if (becomesLarge === isLarge) return;
    isLarge = becomesLarge;
    heap.setGrowth(isLarge ? LARGE_PERCENT : SMALL_PERCENT);
  };
  look();
  return () => cancel();
}
