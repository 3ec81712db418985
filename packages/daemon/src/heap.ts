import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Cancel, Clock } from '@skep/platform';

const LOOK_EVERY_MS = 1_000;
const MIB = 2 ** 20;
/** A node with fifty containers has about 27 MiB alive; the manager of a large swarm, or a busy one, more. */
const LARGE_BYTES = 42 * MIB;
const SMALL_BYTES = 36 * MIB;
/** How much a heap grows between two collections of its old objects; the small one's stands in bin/skepd. */
const SMALL_PERCENT = 20;
const LARGE_PERCENT = 100;
/** A nursery that load has made larger than this is given back in quiet times. */
const NURSERY_KEPT_BYTES = 2 * MIB;
/**
 * Quiet is less than this share of a processor, for so many looks. V8 gives back only after some seconds of
 * it; and a node that has just had work mostly gets more, at which it is a tenth slower once its heap was
 * collected: a stack every fifteen seconds took 1.7 s, not 1.5.
 */
const QUIET_SHARE = 0.1;
const QUIET_LOOKS = 25;

/** The JavaScript heap of this process. */
export interface Heap {
  usedBytes(): number;
  nurseryBytes(): number;
  /** Share of the time since the last call that the event loop was busy, 0 to 1. */
  busyShare(): number;
  setGrowth(percent: number): void;
  /** Collects everything, and gives back what is not needed in quiet times: a pause of some 20 ms. */
  collect(): void;
}

export function v8Heap(): Heap {
  let before = performance.eventLoopUtilization();
  return {
    usedBytes: () => getHeapStatistics().used_heap_size,
    nurseryBytes: () => {
      const spaces = getHeapSpaceStatistics();
      return spaces.find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
    },
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    setGrowth: (percent) => setFlagsFromString(`--heap-growing-percent=${percent}`),
    collect: () => {
      setFlagsFromString('--expose-gc');
      runInNewContext('gc')();
    },
  };
}

/**
 * Collects a small heap early, which keeps a small node small, and a large one late: each collection
 * walks all of it, and under load would take a quarter of the time (bench/README.md). A nursery grows
 * under load by itself, which spares objects of requests from being copied again and again; V8 gives
 * it back at a collection in quiet times, and has no reason for one then.
 */
export function adaptHeap(clock: Clock, heap: Heap = v8Heap()): Cancel {
  let isLarge = false;
  let quietLooks = 0;
  let cancel: Cancel = () => {};
  const adaptGrowth = () => {
    const used = heap.usedBytes();
    const becomesLarge = isLarge ? used >= SMALL_BYTES : used > LARGE_BYTES;
    if (becomesLarge === isLarge) return;
    isLarge = becomesLarge;
    heap.setGrowth(isLarge ? LARGE_PERCENT : SMALL_PERCENT);
  };
  const giveBack = () => {
    quietLooks = heap.busyShare() < QUIET_SHARE ? quietLooks + 1 : 0;
    if (quietLooks < QUIET_LOOKS || heap.nurseryBytes() <= NURSERY_KEPT_BYTES) return;
    quietLooks = 0;
    heap.collect();
  };
  const look = () => {
    cancel = clock.after(LOOK_EVERY_MS, look);
    adaptGrowth();
    giveBack();
  };
  look();
  return () => cancel();
}
