import type { Draw } from '../../engine/index.js';
import { PARTITION_SHAPES } from '../../net/index.js';
import type { Target } from '../../raft/faults/index.js';
import type { PlannedFault } from '../scenario.js';
import type { ClusterFault, ClusterFaultKind } from './contract.js';

const TARGETS_MAX = 12;
const MACHINES_MAX = 12;
const FAULTS_MAX = 8;

/** Likelihood of each kind; each scenario leaves some kinds out, so that those left meet more often. */
const WEIGHTS: Readonly<Record<ClusterFaultKind, number>> = {
  crash: 6,
  'power-cut-at': 4,
  'crash-all': 2,
  restart: 3,
  pause: 3,
  partition: 6,
  'bad-cable': 3,
  'clock-jump': 1,
  role: 6,
  availability: 4,
  join: 2,
  leave: 2,
  'lose-log': 1,
  exit: 3,
  autolock: 3,
  'rotate-root': 2,
  'rotate-unlock-key': 2,
  'rotate-tokens': 1,
};
const LEFT_OUT_PROBABILITY = 0.4;

export const CLUSTER_FAULT_KINDS = Object.keys(WEIGHTS) as ClusterFaultKind[];

export function drawClusterFaults(
  draw: Draw,
  lengthMs: number,
  onlyFaults?: readonly string[],
): PlannedFault[] {
  const weights = { ...WEIGHTS };
  for (const kind of CLUSTER_FAULT_KINDS) {
    const isLeftOut = onlyFaults ? !onlyFaults.includes(kind) : draw.chance(LEFT_OUT_PROBABILITY);
    if (isLeftOut) weights[kind] = 0;
  }
  if (Object.values(weights).every((weight) => weight === 0)) weights.crash = 1;
  const faults = Array.from({ length: draw.between(1, FAULTS_MAX) }, (): PlannedFault => {
    return { atMs: draw.between(0, lengthMs), fault: drawFault(draw, draw.weighted(weights)) };
  });
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawFault(draw: Draw, kind: ClusterFaultKind): ClusterFault {
  const target: Target = draw.chance(0.4) ? 'leader' : draw.between(0, TARGETS_MAX);
  const downMs = draw.between(0, 8_000);
  const forMs = draw.between(100, 8_000);
  const how = draw.pick(['kill', 'power'] as const);
  switch (kind) {
    case 'crash':
      return { kind, target, how, downMs };
    case 'power-cut-at':
      return { kind, target, operations: draw.between(1, 60) };
    case 'crash-all': {
      const times = Array.from({ length: MACHINES_MAX }, () => draw.between(0, 5_000));
      return { kind, how, downMs: times };
    }
    case 'restart':
    case 'lose-log':
      return { kind, target, downMs };
    case 'pause':
      return { kind, target, how: draw.pick(['frozen', 'stopped']), forMs };
    case 'partition':
      return { kind, target, shape: draw.pick(PARTITION_SHAPES), forMs };
    case 'bad-cable':
      return { kind, target, loss: draw.pick([0.1, 0.3, 0.6]), forMs };
    case 'clock-jump':
      // Certificates begin an hour, rounded to a minute, before they are signed: who is further behind
      // cannot take part, and says so.
      return { kind, target, byMs: draw.pick([-1, 1]) * draw.pick([5_000, 3_000_000]) };
    case 'exit':
      return { kind, target, place: draw.random.float(), exitCode: draw.between(0, 1) };
    default:
      return drawChange(draw, kind, target);
  }
}

type NodeChange = 'role' | 'availability' | 'join' | 'leave';
type SwarmChange = 'autolock' | 'rotate-root' | 'rotate-tokens' | 'rotate-unlock-key';

function drawChange(draw: Draw, kind: NodeChange | SwarmChange, target: Target): ClusterFault {
  const role = draw.pick(['manager', 'worker'] as const);
  switch (kind) {
    case 'role':
      return { kind, target, role };
    case 'availability':
      return { kind, target, availability: draw.pick(['ACTIVE', 'PAUSE', 'DRAIN']) };
    case 'join':
      return { kind, role };
    case 'leave':
      return { kind, target };
    case 'autolock':
      return { kind, locks: draw.chance(0.7) };
    default:
      return { kind };
  }
}
