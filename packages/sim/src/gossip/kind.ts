import type { GossipFlaws } from '@skep/gossip';
import { makeKind } from '../run/kind.js';
import { GOSSIP_FLAWS } from './flaws.js';
import { GossipRun } from './run.js';
import { drawGossipScenario, GOSSIP_FAULT_KINDS } from './scenario.js';

/** Nodes that gossip, each of which writes to the tables of the networks it is in. */
export const gossipKind = makeKind({
  name: 'gossip',
  flaws: Object.keys(GOSSIP_FLAWS),
  faultKinds: GOSSIP_FAULT_KINDS,
  draw: drawGossipScenario,
  start: (scenario, trace, flaws) => {
    return new GossipRun({ scenario, trace, flaws: flaws as GossipFlaws });
  },
});
