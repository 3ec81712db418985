import type { RaftSettings } from '@skep/raft';
import { Draw, streamOf } from '../engine/index.js';
import type { LinkQuality } from '../net/index.js';
import { drawFault, type Fault, type FaultKind } from './faults/index.js';

/** A fault and when it strikes, ms after the cluster stands. */
export interface PlannedFault {
  atMs: number;
  fault: Fault;
}

/** Everything about a run that is drawn before it: plain data. */
export interface RaftScenario {
  seed: number;
  machines: number;
  clients: number;
  /** Longest pause of a client between two calls, ms. */
  clientPauseMs: number;
  /** How long clients and faults go on, ms. */
  lengthMs: number;
  settings: Required<Pick<RaftSettings, 'snapshotIntervalEntries' | 'entriesKeptBehind'>> &
    RaftSettings;
  links: LinkQuality;
  /** Peers get messages as over TCP, or anyhow. */
  isOrdered: boolean;
  /** Drift of each machine's clock, in parts of 1. */
  drifts: number[];
  faults: PlannedFault[];
  /** Ends with all but one machine lost, and that one going on alone. */
  endsInDisaster: boolean;
}

const LENGTH_MS = [4_000, 10_000] as const;
const DRIFT_MAX = 0.05;

/** Likelihood of each kind of fault; each scenario leaves some kinds out, so that those left meet more often. */
const FAULT_WEIGHTS: Readonly<Record<FaultKind, number>> = {
  crash: 5,
  'power-cut-at': 5,
  'crash-all': 2,
  restart: 2,
  pause: 4,
  partition: 6,
  clog: 3,
  'sync-error': 2,
  'disk-full': 1,
  'slow-disk': 2,
  'bit-flip': 1,
  'clock-jump': 1,
  transfer: 3,
  add: 2,
  remove: 2,
  replace: 1,
};
const LEFT_OUT_PROBABILITY = 0.4;

export const FAULT_KINDS = Object.keys(FAULT_WEIGHTS) as FaultKind[];

export function drawRaftScenario(seed: number, onlyFaults?: readonly string[]): RaftScenario {
  const draw = new Draw(streamOf(seed, 'scenario'));
  const machines = Number(draw.weighted({ '1': 8, '3': 55, '5': 30, '7': 7 }));
  const lengthMs = draw.between(...LENGTH_MS);
  return {
    seed,
    machines,
    lengthMs,
    clients: draw.between(2, 5),
    clientPauseMs: draw.pick([100, 300, 800]),
    settings: {
      snapshotIntervalEntries: draw.pick([5, 20, 60, 1_000]),
      entriesKeptBehind: draw.pick([0, 2, 20]),
      oldSnapshotsKept: draw.pick([0, 1, 2]),
      segmentBytes: draw.pick([4_096, 8_192, 32_768]),
      reserveBytes: 1_024,
    },
    links: drawQuality(draw),
    isOrdered: draw.chance(0.5),
    drifts: Array.from({ length: machines }, () => DRIFT_MAX * (2 * draw.random.float() - 1)),
    faults: drawFaults(draw, { lengthMs, machines, onlyFaults }),
    endsInDisaster: machines > 1 && draw.chance(0.1),
  };
}

function drawQuality(draw: Draw): LinkQuality {
  return {
    delayMs: draw.pick([
      [0.2, 1],
      [1, 5],
      [5, 40],
    ] as const),
    lateProbability: draw.pick([0, 0.01, 0.1]),
    lossProbability: draw.pick([0, 0, 0.02, 0.1]),
    duplicateProbability: draw.pick([0, 0.02, 0.2]),
  };
}

interface FaultsWanted {
  lengthMs: number;
  machines: number;
  onlyFaults: readonly string[] | undefined;
}

function drawFaults(draw: Draw, { lengthMs, machines, onlyFaults }: FaultsWanted): PlannedFault[] {
  const weights = { ...FAULT_WEIGHTS };
  for (const kind of FAULT_KINDS) {
    const isLeftOut = onlyFaults ? !onlyFaults.includes(kind) : draw.chance(LEFT_OUT_PROBABILITY);
    if (isLeftOut) weights[kind] = 0;
  }
  // What a damaged disk has lost must be held by the others: their number stays.
  if (weights['bit-flip'] > 0) Object.assign(weights, { remove: 0, replace: 0, 'sync-error': 0 });
  if (machines === 1) Object.assign(weights, { add: 0, remove: 0, replace: 0, 'bit-flip': 0 });
  if (Object.values(weights).every((weight) => weight === 0)) weights.crash = 1;
  const count = draw.between(1, 8);
  const faults = Array.from({ length: count }, (): PlannedFault => {
    const kind = draw.weighted(weights);
    if (kind === 'bit-flip') weights['bit-flip'] = 0;
    return { atMs: draw.between(0, lengthMs), fault: drawFault(draw, kind) };
  });
  return faults.sort((a, b) => a.atMs - b.atMs);
}
