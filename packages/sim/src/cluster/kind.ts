import type { SwarmFlaws } from '@skep/manager';
import { makeKind } from '../run/kind.js';
import { CLUSTER_FAULT_KINDS } from './faults/index.js';
import { SWARM_FLAWS } from './flaws.js';
import { ClusterRun } from './run.js';
import { drawClusterScenario } from './scenario.js';

/** Whole swarms: members as they are, on simulated machines, with users and an administrator. */
export const clusterKind = makeKind({
  name: 'cluster',
  flaws: Object.keys(SWARM_FLAWS),
  faultKinds: CLUSTER_FAULT_KINDS,
  draw: drawClusterScenario,
  start: (scenario, trace, flaws) =>
    new ClusterRun({ scenario, trace, flaws: flaws as SwarmFlaws }),
});
