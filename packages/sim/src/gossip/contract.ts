import type { PauseKind } from '../engine/index.js';
import type { LinkQuality, PartitionShape } from '../net/index.js';

/** Something that goes wrong, as plain data; `target` is the place of a machine. Times are ms. */
export type GossipFault =
  /** Without a word; it starts again under another name. */
  | { kind: 'crash'; target: number; downMs: number }
  /** A clean stop and a new start. */
  | { kind: 'restart'; target: number; downMs: number }
  | { kind: 'pause'; target: number; how: PauseKind; forMs: number }
  | { kind: 'partition'; target: number; shape: PartitionShape; forMs: number }
  | { kind: 'clog'; target: number; forMs: number }
  /** The managers hand out a new key, which comes to each machine in its time. */
  | { kind: 'rotate-keys'; arrivesMs: number[] }
  /** Packets that were heard before come once more, to anybody. */
  | { kind: 'replay'; packets: number }
  | { kind: 'garbage'; target: number; packets: number };

export type GossipFaultKind = GossipFault['kind'];

export interface PlannedGossipFault {
  /** After all have found each other. */
  atMs: number;
  fault: GossipFault;
}

/** Everything about a run that is drawn before it: plain data. */
export interface GossipScenario {
  seed: number;
  machines: number;
  networks: number;
  /** Longest pause of a machine between two writes. */
  writePauseMs: number;
  /** How long writes and faults go on. */
  lengthMs: number;
  quality: LinkQuality;
  /** Drift of each machine's clock, in parts of 1. */
  drifts: number[];
  faults: PlannedGossipFault[];
}
