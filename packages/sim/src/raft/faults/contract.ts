import type { PauseKind } from '../../engine/index.js';
import type { PartitionShape } from '../../net/index.js';
import type { Death } from '../machine.js';

/** Whom a fault meets: whoever leads then, or the machine at a place (modulo their number). */
export type Target = 'leader' | number;

/** Something that goes wrong, or is done to a cluster, as plain data. Times are ms. */
export type Fault =
  | { kind: 'crash'; target: Target; how: Death; downMs: number }
  /** The power goes at the n-th operation of the disk from now. */
  | { kind: 'power-cut-at'; target: Target; operations: number }
  /** All at once, started again each after its own time. */
  | { kind: 'crash-all'; how: Death; downMs: number[] }
  /** A clean stop and a new start. */
  | { kind: 'restart'; target: Target; downMs: number }
  | { kind: 'pause'; target: Target; how: PauseKind; forMs: number }
  | { kind: 'partition'; target: Target; shape: PartitionShape; forMs: number }
  /** Everything to and from one machine arrives late, all at once. */
  | { kind: 'clog'; target: Target; forMs: number }
  /** The n-th sync from now fails, once. */
  | { kind: 'sync-error'; target: Target; after: number }
  | { kind: 'disk-full'; target: Target; forMs: number }
  | { kind: 'slow-disk'; target: Target; byMs: number; forMs: number }
  /** One bit of a machine that is down turns over; where, as parts of 1 of files and of one file. */
  | { kind: 'bit-flip'; target: Target; file: number; place: number; downMs: number }
  | { kind: 'clock-jump'; target: Target; byMs: number }
  | { kind: 'transfer'; target: Target }
  | { kind: 'add' }
  /** The removed one goes on for a while, knowing or not. */
  | { kind: 'remove'; target: Target; staysMs: number }
  /** A machine is lost with its disk, removed, and a new one joins. */
  | { kind: 'replace'; target: Target };

export type FaultKind = Fault['kind'];

/** A fault as a line for people. */
export function describeFault(fault: Fault): string {
  const { kind, ...rest } = fault;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [kind, ...details].join(', ');
}
