import { makeKind } from '../run/kind.js';
import { GossipRun } from './run.js';
import { drawGossipScenario, GOSSIP_FAULT_KINDS } from './scenario.js';

/** Nodes that gossip, each of which writes to the tables of the networks it is in. */
export const gossipKind = makeKind({
  name: 'gossip',
  flaws: [],
  faultKinds: GOSSIP_FAULT_KINDS,
  draw: drawGossipScenario,
  start: (scenario, trace) => new GossipRun({ scenario, trace }),
});
