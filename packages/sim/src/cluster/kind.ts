import { makeKind } from '../run/kind.js';
import { ClusterRun } from './run.js';
import { drawClusterScenario } from './scenario.js';

/** Whole swarms: members as they are, on simulated machines, with users and an administrator. */
export const clusterKind = makeKind({
  name: 'cluster',
  flaws: [],
  draw: drawClusterScenario,
  start: (scenario, trace) => new ClusterRun({ scenario, trace }),
});
