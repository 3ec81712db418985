import { Code, SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import type { CoreSettings } from './contract.js';
import { TestCluster, textsOf } from './testing/cluster.js';
import { changeData, emptyDisk } from './testing/node.js';

function cluster(count: number, settings: Partial<CoreSettings> = {}, seed = 1): TestCluster {
  const voters = Array.from({ length: count }, (_, at) => BigInt(at + 1));
  return new TestCluster({ settings, random: new SimRandom(seed), voters });
}

describe('a core', () => {
  it('leads alone as soon as its vote is durable', () => {
    const one = cluster(1);
    const node = one.node(1n);
    node.core.campaign(false);
    expect(node.core.status).toMatchObject({ role: 'leader', isReady: false, commit: 0n });
    one.settle();
    expect(node.core.status).toMatchObject({ isReady: true, commit: 1n, applied: 1n });
    one.propose(1n, 'a');
    expect(textsOf(node)).toEqual(['a']);
  });

  it('elects one of three by itself, which replicates', () => {
    const three = cluster(3, { preVote: true, checkQuorum: true });
    three.tick(25);
    const leader = three.leader!;
    expect(leader.core.status.isReady).toBe(true);
    for (let count = 0; count < 100; count++) leader.core.propose(Buffer.from(`${count}`));
    three.settle();
    for (const node of three.nodes.values()) expect(textsOf(node)).toHaveLength(100);
    expect(leader.core.progress.get(leader.id === 1n ? 2n : 1n)?.state).toBe('replicate');
  });

  it('sends appends before its own write, and acknowledges after', () => {
    const three = cluster(3);
    three.campaign(1n);
    three.node(1n).core.propose(Buffer.from('a'));
    const effects = three.node(1n).core.takeEffects()!;
    expect(effects.messages).toHaveLength(2);
    expect(effects.entries).toHaveLength(1);
    three.node(2n).core.step(effects.messages[0]!);
    const answer = three.node(2n).core.takeEffects()!;
    expect(answer.messages).toHaveLength(0);
    expect(answer.messagesWhenDurable).toHaveLength(1);
  });

  it('refuses proposals when it does not lead', () => {
    const three = cluster(3);
    three.campaign(1n);
    const propose = () => three.node(2n).core.propose(Buffer.from('a'));
    expect(propose).toThrow(expect.objectContaining({ code: Code.FAILED_PRECONDITION }));
  });

  it('catches a far-behind member up by snapshot', () => {
    const three = cluster(3);
    three.campaign(1n);
    three.isolate(3n);
    for (const text of ['a', 'b', 'c']) three.propose(1n, text);
    three.node(1n).compact();
    three.heal();
    three.tick(2, [1n]);
    three.node(1n).core.reportSnapshot(3n, true);
    three.propose(1n, 'd');
    three.tick(2, [1n]);
    expect(textsOf(three.node(3n))).toEqual(['d']);
    expect(three.node(3n).core.status.commit).toBe(three.node(1n).core.status.commit);
  });

  it('hands leadership over', () => {
    const three = cluster(3, { checkQuorum: true, preVote: true });
    three.campaign(1n);
    three.node(1n).core.transferLeadership(2n);
    three.settle();
    expect(three.leader?.id).toBe(2n);
    expect(three.node(2n).core.status.isReady).toBe(true);
  });

  it('adds a member, and removes itself', () => {
    const one = cluster(1);
    one.campaign(1n);
    one.add(2n, emptyDisk([1n]));
    expect(one.node(1n).core.proposeChange(changeData('add', 2n))).toBeDefined();
    expect(one.node(1n).core.proposeChange(changeData('add', 3n))).toBeUndefined();
    one.settle();
    one.tick(3, [1n]);
    expect(one.node(2n).voters).toEqual([1n, 2n]);
    one.node(1n).core.proposeChange(changeData('remove', 1n));
    one.settle();
    expect(one.node(1n).core.status.isReady).toBe(false);
    one.tick(1);
    expect(one.node(1n).core.status.role).toBe('follower');
    expect(one.leader?.id).toBe(2n);
  });

  it('confirms reads by a quorum, on the leader and on followers', () => {
    const three = cluster(3);
    three.campaign(1n);
    three.propose(1n, 'a');
    const context = Buffer.from('r1');
    expect(three.node(1n).core.requestRead(context)).toBe(true);
    expect(three.node(2n).core.requestRead(context)).toBe(true);
    three.settle();
    expect(three.node(1n).reads).toEqual([{ context, index: 2n }]);
    expect(three.node(2n).reads).toEqual([{ context, index: 2n }]);
    three.isolate(1n);
    three.node(1n).core.requestRead(Buffer.from('r2'));
    three.tick(5);
    expect(three.node(1n).reads).toHaveLength(1);
  });
});
