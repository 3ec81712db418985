import { SimRandom } from '@skep/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TestCluster } from './testing/cluster.js';
import { emptyDisk } from './testing/node.js';
import { entriesOf } from './testing/single.js';

/*
 * Pre-candidates that ask at the same time: few of them go on, and none keeps the others from it
 * for good.
 */

const SETTINGS = { preVote: true, checkQuorum: true };

/** Nodes 1, 2, …, each with a log of so many entries, and without a leader. */
function clusterOf(logs: readonly number[], seed: number): TestCluster {
  const ids = logs.map((_, at) => BigInt(at + 1));
  const cluster = new TestCluster({
    settings: SETTINGS,
    random: new SimRandom(seed),
    voters: [],
  });
  for (const [at, length] of logs.entries()) {
    const disk = { ...emptyDisk(ids), entries: entriesOf(Array(length).fill(1)) };
    disk.hardState = { term: 1n, vote: 0n, commit: 0n };
    cluster.add(ids[at]!, disk);
  }
  return cluster;
}

describe('rivals', () => {
  const logs = fc.array(fc.nat(3), { minLength: 2, maxLength: 7 });

  it('that all ask at once: only those stand that outrank enough others, and soon one leads', () => {
    const property = fc.property(logs, fc.nat(), (lengths, seed) => {
      const cluster = clusterOf(lengths, seed);
      const ids = [...cluster.nodes.keys()];
      const quorum = Math.floor(ids.length / 2) + 1;
      const alive = new SimRandom(seed).bytes(1)[0]! % 2 ? ids : ids.slice(0, quorum);
      cluster.passes = ({ from, to }) => alive.includes(from) && alive.includes(to);
      const claim = (id: bigint) => lengths[Number(id) - 1]! * 100 + Number(id);
      const outranked = (id: bigint) => alive.filter((other) => claim(other) < claim(id)).length;
      for (const id of alive) cluster.node(id).core.campaign(false);
      cluster.settle();
      const stood = alive.filter((id) => cluster.node(id).core.status.vote === id);
      expect(stood.length).toBeGreaterThan(0);
      for (const id of stood) expect(outranked(id) + 1).toBeGreaterThanOrEqual(quorum);
      const isLed = () => alive.some((id) => cluster.node(id).core.status.isReady);
      for (let ticks = 0; !isLed() && ticks < 60; ticks++) cluster.tick(1, alive);
      expect(isLed()).toBe(true);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('that cannot win do not keep those from it that can', () => {
    const property = fc.property(fc.nat(), fc.boolean(), (seed, isLonger) => {
      // Of five, 1 and 2 are dead. 5 outranks all and hears only 4, which needs its vote.
      const cluster = clusterOf([1, 1, 1, 1, isLonger ? 2 : 1], seed);
      const links = ['3-4', '4-3', '4-5', '5-4'];
      cluster.passes = ({ from, to }) => links.includes(`${from}-${to}`);
      for (const id of [3n, 4n, 5n]) cluster.node(id).core.hintLeaderLost();
      const isLed = () => cluster.node(4n).core.status.isReady;
      for (let ticks = 0; !isLed() && ticks < 400; ticks++) cluster.tick(1, [3n, 4n, 5n]);
      // With more of the log, 5 refuses its vote by right.
      expect(isLed()).toBe(!isLonger);
    });
    fc.assert(property, { numRuns: 100 });
  });
});
