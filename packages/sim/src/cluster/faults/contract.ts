import type { PauseKind } from '../../engine/index.js';
import type { PartitionShape } from '../../net/index.js';
import type { Target } from '../../raft/faults/index.js';
import type { Death } from '../machine.js';

/** Something that goes wrong, or is done to a swarm, as plain data. Times are ms. */
export type ClusterFault =
  | { kind: 'crash'; target: Target; how: Death; downMs: number }
  /** The power goes at the n-th operation of the disk from now. */
  | { kind: 'power-cut-at'; target: Target; operations: number }
  /** All at once, started again each after its own time. */
  | { kind: 'crash-all'; how: Death; downMs: number[] }
  /** A clean stop and a new start. */
  | { kind: 'restart'; target: Target; downMs: number }
  | { kind: 'pause'; target: Target; how: PauseKind; forMs: number }
  | { kind: 'partition'; target: Target; shape: PartitionShape; forMs: number }
  /** Everything to and from one machine is slow and gets lost. */
  | { kind: 'bad-cable'; target: Target; loss: number; forMs: number }
  | { kind: 'clock-jump'; target: Target; byMs: number }
  | { kind: 'role'; target: Target; role: 'manager' | 'worker' }
  | { kind: 'availability'; target: Target; availability: 'ACTIVE' | 'PAUSE' | 'DRAIN' }
  /** A machine more joins. */
  | { kind: 'join'; role: 'manager' | 'worker' }
  /** A node leaves, and is removed from the swarm. */
  | { kind: 'leave'; target: Target }
  /** Raft's log of a manager is lost, its certificate is not. */
  | { kind: 'lose-log'; target: Target; downMs: number }
  /** A container ends by itself. */
  | { kind: 'exit'; target: Target; place: number; exitCode: number }
  /** Managers' keys are locked from now on, or not any more. */
  | { kind: 'autolock'; locks: boolean }
  | { kind: 'rotate-root' }
  | { kind: 'rotate-unlock-key' }
  | { kind: 'rotate-tokens' };

export type ClusterFaultKind = ClusterFault['kind'];
