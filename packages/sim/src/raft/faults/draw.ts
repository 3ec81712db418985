import type { Draw } from '../../engine/index.js';
import { PARTITION_SHAPES } from '../../net/index.js';
import type { Fault, FaultKind, Target } from './contract.js';

const TARGETS_MAX = 12;
/** Machines a plan says the times of; more than a cluster ever has here. */
const MACHINES_MAX = 10;

/** A fault of the kind, drawn. */
export function drawFault(draw: Draw, kind: FaultKind): Fault {
  const target: Target = draw.chance(0.5) ? 'leader' : draw.between(0, TARGETS_MAX);
  const downMs = draw.between(0, 4_000);
  const forMs = draw.between(100, 5_000);
  const how = draw.pick(['kill', 'power', 'power'] as const);
  switch (kind) {
    case 'crash':
      return { kind, target, how, downMs };
    case 'power-cut-at':
      return { kind, target, operations: draw.between(1, 60) };
    case 'crash-all':
      return {
        kind,
        how,
        downMs: Array.from({ length: MACHINES_MAX }, () => draw.between(0, 3_000)),
      };
    case 'restart':
      return { kind, target, downMs };
    case 'pause':
      return { kind, target, how: draw.pick(['frozen', 'stopped']), forMs };
    case 'partition':
      return { kind, target, shape: draw.pick(PARTITION_SHAPES), forMs };
    case 'clog':
      return { kind, target, forMs: draw.between(50, 3_000) };
    case 'sync-error':
      return { kind, target, after: draw.between(0, 10) };
    case 'disk-full':
      return { kind, target, forMs };
    case 'slow-disk':
      return { kind, target, byMs: draw.pick([10, 100, 400]), forMs };
    case 'bit-flip':
      return { kind, target, file: draw.random.float(), place: draw.random.float(), downMs };
    case 'clock-jump':
      return {
        kind,
        target,
        byMs: draw.pick([-1, 1]) * draw.pick([5_000, 3_600_000, 31_536_000_000]),
      };
    case 'add':
      return { kind };
    case 'transfer':
    case 'replace':
      return { kind, target };
    case 'remove':
      return { kind, target, staysMs: draw.between(0, 4_000) };
  }
}
