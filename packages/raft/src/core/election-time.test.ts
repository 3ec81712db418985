import { SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { TestCluster } from './testing/cluster.js';

/*
 * How long a cluster is without a leader after its leader was killed, in ticks of 100 ms. All tick
 * at the same instant and answer at once, which makes split votes as likely as can be.
 */

const ROUNDS = 200;

/** Ticks until another leader is ready, sorted. */
function measure(voters: number, isHinted: boolean): number[] {
  const ids = Array.from({ length: voters }, (_, at) => BigInt(at + 1));
  const [first = 0n, ...others] = ids;
  const measured: number[] = [];
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new SimRandom(seed);
    const settings = { preVote: true, checkQuorum: true };
    const cluster = new TestCluster({ settings, random, voters: ids });
    cluster.campaign(first);
    cluster.tick(5);
    cluster.isolate(first);
    if (isHinted) for (const id of others) cluster.node(id).core.hintLeaderLost();
    let ticks = 0;
    while (!others.some((id) => cluster.node(id).core.status.isReady)) {
      cluster.tick(1, others);
      ticks++;
    }
    measured.push(ticks);
  }
  return measured.sort((a, b) => a - b);
}

describe.each([3, 5, 7])('a cluster of %i whose leader was killed', (voters) => {
  it('has another within a few ticks when connections told of it', () => {
    const measured = measure(voters, true);
    expect(measured[ROUNDS / 2]).toBeLessThanOrEqual(6);
    expect(measured[ROUNDS * 0.99]).toBeLessThanOrEqual(15);
  });

  it('has another within two election timeouts when nothing told of it', () => {
    const measured = measure(voters, false);
    expect(measured[ROUNDS / 2]).toBeLessThanOrEqual(20);
    expect(measured[ROUNDS * 0.99]).toBeLessThanOrEqual(40);
  });
});
