import { Draw, streamOf } from '../engine/index.js';
import { PARTITION_SHAPES } from '../net/index.js';
import type {
  GossipFault,
  GossipFaultKind,
  GossipScenario,
  PlannedGossipFault,
} from './contract.js';

const MACHINES = [2, 9] as const;
const LENGTH_MS = [10_000, 60_000] as const;
const DRIFT_MAX = 0.03;
const FAULTS_MAX = 8;
/** Scenarios in which nothing goes wrong but packets. */
const CALM_PROBABILITY = 0.15;
const KEY_ARRIVES_WITHIN_MS = 5_000;

/** Likelihood of each kind; each scenario leaves some kinds out, so that those left meet more often. */
const WEIGHTS: Readonly<Record<GossipFaultKind, number>> = {
  crash: 5,
  restart: 3,
  pause: 4,
  partition: 6,
  clog: 2,
  'rotate-keys': 1,
  replay: 2,
  garbage: 1,
};
const LEFT_OUT_PROBABILITY = 0.4;

export const GOSSIP_FAULT_KINDS = Object.keys(WEIGHTS) as GossipFaultKind[];

export function drawGossipScenario(seed: number, onlyFaults?: readonly string[]): GossipScenario {
  const draw = new Draw(streamOf(seed, 'gossip scenario'));
  const machines = draw.between(...MACHINES);
  const lengthMs = draw.between(...LENGTH_MS);
  return {
    ...{ seed, machines, lengthMs },
    networks: draw.between(1, 3),
    writePauseMs: draw.pick([500, 3_000, 15_000]),
    quality: {
      delayMs: draw.pick([
        [0.2, 1],
        [1, 10],
        [5, 80],
      ]),
      lateProbability: draw.pick([0, 0.01, 0.1]),
      lossProbability: draw.pick([0, 0.01, 0.05, 0.2]),
      duplicateProbability: draw.pick([0, 0.02, 0.2]),
    },
    drifts: Array.from({ length: machines }, () => DRIFT_MAX * (2 * draw.random.float() - 1)),
    faults: drawFaults(draw, { machines, lengthMs }, onlyFaults),
  };
}

function drawFaults(
  draw: Draw,
  { machines, lengthMs }: { machines: number; lengthMs: number },
  onlyFaults?: readonly string[],
): PlannedGossipFault[] {
  const weights = { ...WEIGHTS };
  for (const kind of GOSSIP_FAULT_KINDS) {
    const isLeftOut = onlyFaults ? !onlyFaults.includes(kind) : draw.chance(LEFT_OUT_PROBABILITY);
    if (isLeftOut) weights[kind] = 0;
  }
  if (Object.values(weights).every((weight) => weight === 0)) weights.partition = 1;
  const count = !onlyFaults && draw.chance(CALM_PROBABILITY) ? 0 : draw.between(1, FAULTS_MAX);
  const faults = Array.from({ length: count }, (): PlannedGossipFault => {
    const atMs = draw.between(0, lengthMs);
    return { atMs, fault: drawFault(draw, draw.weighted(weights), machines) };
  });
  return faults.sort((one, other) => one.atMs - other.atMs);
}

function drawFault(draw: Draw, kind: GossipFaultKind, machines: number): GossipFault {
  const target = draw.between(0, machines - 1);
  const forMs = draw.between(500, 40_000);
  switch (kind) {
    case 'crash':
    case 'restart':
      return { kind, target, downMs: draw.between(0, 20_000) };
    case 'pause':
      return { kind, target, how: draw.pick(['frozen', 'stopped']), forMs };
    case 'partition':
      return { kind, target, shape: draw.pick(PARTITION_SHAPES), forMs };
    case 'clog':
      return { kind, target, forMs: Math.min(forMs, 8_000) };
    case 'rotate-keys': {
      const arrivesMs = Array.from({ length: machines }, () =>
        draw.between(0, KEY_ARRIVES_WITHIN_MS),
      );
      return { kind, arrivesMs };
    }
    case 'replay':
      return { kind, packets: draw.between(1, 300) };
    case 'garbage':
      return { kind, target, packets: draw.between(1, 50) };
  }
}
