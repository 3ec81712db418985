import { Code, RpcError, SimRandom } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { describe, expect, it } from 'vitest';
import type { CoreSettings } from './contract.js';
import { SafetyChecker } from './testing/checker.js';
import { TestCluster } from './testing/cluster.js';
import { changeData, emptyDisk } from './testing/node.js';

/*
 * The bug of single-server membership changes (Ongaro, raft-dev, July 2015): two leaders in a row
 * each propose a change before anything of their term is committed. The log then goes two servers
 * further in one step, and the majorities before and after need not meet. Here a leader takes over
 * a change that nobody knows to be committed and at once proposes another. {1,2,3} becomes
 * {1,2,3,4,5}, and while 2, 4 and 5 write on, 1 and 3, who know of neither commit, elect a leader
 * among three.
 */
class Scenario {
  readonly cluster: TestCluster;
  readonly checker: SafetyChecker;

  constructor(settings: Partial<CoreSettings>) {
    this.checker = new SafetyChecker(() => this.cluster.nodes.values());
    const voters = [1n, 2n, 3n];
    this.cluster = new TestCluster({
      settings,
      random: new SimRandom(1),
      voters,
      observer: this.checker,
    });
    for (const id of [4n, 5n]) this.cluster.add(id, emptyDisk(voters));
  }

  /** What the leader of term 2 is asked; throws when it refuses. */
  run(): void {
    const { cluster } = this;
    cluster.campaign(1n);
    // The first change reaches only 2.
    cluster.passes = ({ from, to }) => from === 1n && to === 2n;
    cluster.node(1n).core.proposeChange(changeData('add', 4n));
    cluster.settle();
    // 2 is elected by 3. Its entries do not get through yet, and it proposes the second change.
    cluster.passes = ({ from, to, type }) =>
      from !== 1n && to !== 1n && type !== MessageType.MsgApp;
    cluster.campaign(2n);
    cluster.node(2n).core.proposeChange(changeData('add', 5n));
    // Both changes are committed by 2 and 3, but 3 does not hear of that.
    const known = cluster.node(3n).core.status.commit;
    cluster.passes = ({ from, to, commit }) =>
      from !== 1n && to !== 1n && (to !== 3n || commit <= known);
    cluster.tick(2, [2n]);
    // 2, 4 and 5 commit one more.
    cluster.isolate(1n, 3n);
    cluster.tick(3, [2n]);
    cluster.propose(2n, 'lost');
    // 1 and 3 are three's majority.
    cluster.campaign(3n);
    cluster.propose(3n, 'other');
    this.checker.checkLeaders();
  }
}

describe('two changes of membership across a change of leader', () => {
  it('are refused before the new leader has committed an entry of its term', () => {
    const scenario = new Scenario({});
    let refusal: unknown;
    try {
      scenario.run();
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(RpcError);
    expect(refusal).toMatchObject({ code: Code.FAILED_PRECONDITION });
    expect(scenario.cluster.node(2n).core.status).toMatchObject({ role: 'leader', isReady: false });
  });

  it('break safety when the guard is switched off', () => {
    const scenario = new Scenario({ faults: new Set(['change-before-own-term'] as const) });
    expect(() => scenario.run()).toThrow(/state machine safety/);
  });

  it('go one after the other once the first is applied', () => {
    const { cluster } = new Scenario({});
    cluster.campaign(1n);
    cluster.passes = ({ from, to }) => from === 1n && to === 2n;
    cluster.node(1n).core.proposeChange(changeData('add', 4n));
    cluster.settle();
    cluster.isolate(1n);
    cluster.campaign(2n);
    expect([...cluster.node(2n).core.status.voters]).toEqual([1n, 2n, 3n, 4n]);
    expect(cluster.node(2n).core.proposeChange(changeData('add', 5n))).toBeDefined();
    expect(cluster.node(2n).core.proposeChange(changeData('remove', 1n))).toBeUndefined();
    cluster.settle();
    expect([...cluster.node(2n).core.status.voters]).toEqual([1n, 2n, 3n, 4n, 5n]);
  });
});
