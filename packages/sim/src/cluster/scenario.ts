import type { Delay } from '@skep/rpc';
import { Draw, streamOf } from '../engine/index.js';
import { type ClusterFault, drawClusterFaults } from './faults/index.js';

/** A fault and when it strikes, ms after the cluster stands. */
export interface PlannedFault {
  atMs: number;
  fault: ClusterFault;
}

/** Everything about a run that is drawn before it: plain data. */
export interface ClusterScenario {
  seed: number;
  managers: number;
  workers: number;
  /** People who change services, each their own. */
  users: number;
  /** Longest pause of a user between two requests, ms. */
  userPauseMs: number;
  /** How long users and faults go on, ms. */
  lengthMs: number;
  delay: Delay;
  /** How many segments are lost at first, 0 … 1. */
  loss: number;
  /** Drift of each machine's clock, in parts of 1. */
  drifts: number[];
  faults: PlannedFault[];
}

const LENGTH_MS = [4_000, 12_000] as const;
const DRIFT_MAX = 0.03;
/** Machines that may join while it runs are among those that have a clock. */
const MACHINES_MAX = 12;

export function drawClusterScenario(seed: number, onlyFaults?: readonly string[]): ClusterScenario {
  const draw = new Draw(streamOf(seed, 'cluster scenario'));
  const managers = Number(draw.weighted({ '1': 20, '3': 70, '5': 10 }));
  const workers = draw.between(managers === 1 ? 1 : 0, managers === 5 ? 2 : 3);
  const lengthMs = draw.between(...LENGTH_MS);
  return {
    ...{ seed, managers, workers, lengthMs },
    users: draw.between(1, 3),
    userPauseMs: draw.pick([500, 1_500, 4_000]),
    delay: draw.pick([
      { minMs: 0.2, maxMs: 1 },
      { minMs: 1, maxMs: 5 },
      { minMs: 5, maxMs: 40 },
    ]),
    loss: draw.pick([0, 0, 0.02, 0.1]),
    drifts: Array.from({ length: MACHINES_MAX }, () => DRIFT_MAX * (2 * draw.random.float() - 1)),
    faults: drawClusterFaults(draw, lengthMs, onlyFaults),
  };
}
