import { TaskState } from '@skep/wire/swarmkit';
import { isLive, type Slot } from './slot.js';

interface Candidate {
  slot: Slot;
  number: bigint;
  running: boolean;
  /** How many kept-before-it slots are on its node; without a node of its own, more than any. */
  rank: number;
}

/**
 * The slots to give up when a service is scaled down: first those without a running task, then
 * those on the nodes that have most slots of the service, then the highest numbers (features.md
 * 3.2).
 */
export function victims(held: ReadonlyMap<bigint, Slot>, count: number): Slot[] {
  if (count <= 0) return [];
  const candidates = [...held].map(([number, slot]) => ({
    slot,
    number,
    running: slot.some((task) => isLive(task) && task.status.state === TaskState.RUNNING),
    rank: 0,
  }));
  const byValue = candidates.sort(compareRunning);
  rankOnNodes(byValue);
  return byValue
    .sort((a, b) => (a.running === b.running && a.rank - b.rank) || compareRunning(a, b))
    .slice(-count)
    .map(({ slot }) => slot);
}

/** Most worth keeping first. */
function compareRunning(a: Candidate, b: Candidate): number {
  if (a.running !== b.running) return a.running ? -1 : 1;
  return a.number < b.number ? -1 : 1;
}

function rankOnNodes(byValue: readonly Candidate[]): void {
  const onNode = new Map<string, number>();
  for (const candidate of byValue) {
    const live = candidate.slot.filter(isLive);
    const nodeId = live.length === 1 ? live[0]?.nodeId : '';
    if (!nodeId) {
      candidate.rank = Number.MAX_SAFE_INTEGER;
      continue;
    }
    candidate.rank = onNode.get(nodeId) ?? 0;
    onNode.set(nodeId, candidate.rank + 1);
  }
}
