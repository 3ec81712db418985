import type { Links } from './links.js';

/**
 * Shapes of a broken network among machines, the first of which is the one it is about:
 * `isolate`: it alone; `halves`: it and the next few on one side; `deaf`: it sends and hears nothing;
 * `mute`: it hears, and nobody hears it; `ring`: each hears only its two neighbours; `bridge`: two sides
 * that only it can reach.
 */
export const PARTITION_SHAPES = ['isolate', 'halves', 'deaf', 'mute', 'ring', 'bridge'] as const;
export type PartitionShape = (typeof PARTITION_SHAPES)[number];

/** Whether `from` cannot reach `to` (places in the list of machines). */
function isApart(shape: PartitionShape, from: number, to: number, count: number): boolean {
  const half = Math.ceil(count / 2);
  switch (shape) {
    case 'isolate':
      return from === 0 || to === 0;
    case 'halves':
      return from < half !== to < half;
    case 'deaf':
      return to === 0;
    case 'mute':
      return from === 0;
    case 'ring':
      return (from - to + count) % count > 1 && (to - from + count) % count > 1;
    case 'bridge':
      return from !== 0 && to !== 0 && from <= half - 1 !== to <= half - 1;
  }
}

/** Breaks the network among `machines`; returns how to mend it. */
export function partition(
  links: Pick<Links, 'cut'>,
  shape: PartitionShape,
  machines: readonly string[],
): () => void {
  const mends: (() => void)[] = [];
  machines.forEach((from, fromAt) => {
    machines.forEach((to, toAt) => {
      if (from === to || !isApart(shape, fromAt, toAt, machines.length)) return;
      mends.push(links.cut(from, to));
    });
  });
  return () => {
    for (const mend of mends) mend();
  };
}
