import type { Flaws } from '@skep/raft';
import { makeKind } from '../run/kind.js';
import { RAFT_FLAWS } from './flaws.js';
import { RaftRun } from './run.js';
import { drawRaftScenario, FAULT_KINDS } from './scenario.js';

/** Managers with a store replicated by Raft, and clients that write down what they see. */
export const raftKind = makeKind({
  name: 'raft',
  flaws: Object.keys(RAFT_FLAWS),
  faultKinds: FAULT_KINDS,
  draw: drawRaftScenario,
  start: (scenario, trace, flaws) => new RaftRun({ scenario, trace, flaws: flaws as Flaws }),
});
