import { Code, settle } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { ClusterRig } from './testing-cluster.js';

const texts = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => `text ${first + n}`);

describe.each([false, true])('a cluster of managers (by calls: %s)', (usesCalls) => {
  const cluster = (size: number, prepare: (rig: ClusterRig) => void = () => {}) =>
    ClusterRig.of(size, (rig) => {
      rig.usesCalls = usesCalls;
      prepare(rig);
    });

  it('grows from one, and all apply the same', async () => {
    const rig = await cluster(5);
    await rig.write(...texts(1, 20));
    expect(await rig.untilQuiet()).toEqual(texts(1, 20));
    for (const { node, name } of rig.up) {
      const { members, leaderId, raftId, role } = node.status;
      expect(members.map(({ nodeId }) => nodeId).sort()).toEqual(['n1', 'n2', 'n3', 'n4', 'n5']);
      expect(members.every(({ isReachable }) => isReachable) || role !== 'leader').toBe(true);
      expect(leaderId).toBe(rig.node('n1').status.raftId);
      expect(raftId === leaderId).toBe(name === 'n1');
    }
  });

  it('elects another within 2 s when the leader dies, and takes it back', async () => {
    const rig = await cluster(3);
    await rig.write(...texts(1, 5));
    await rig.crash('n1');
    const next = await rig.leader(2_000);
    await rig.write(...texts(6, 10));
    expect(next.name).not.toBe('n1');
    await rig.start('n1');
    expect(await rig.untilQuiet()).toEqual(texts(1, 10));
  });

  it('refuses writes at once without a quorum, and says so', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    const { node, machine } = rig.place('n1');
    await rig.crash('n2');
    await rig.crash('n3');
    node.propose(Buffer.from('lost or not'));
    await rig.until(() => machine.aborted.length > 0, 5_000);
    const error = {
      code: Code.UNKNOWN,
      message:
        "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than " +
        'half of the managers are online. (1 of 3 managers reachable, 2 needed)',
    };
    expect(() => node.nextIndex).toThrow(expect.objectContaining(error));
    expect(() => node.propose(Buffer.from('b'))).toThrow(expect.objectContaining(error));
    await expect(rig.soon(node.readBarrier())).rejects.toMatchObject(error);
    await expect(rig.soon(node.addMember('n4', 'n4:2377'))).rejects.toMatchObject(error);
    await rig.start('n3');
    await rig.write('c');
    expect(await rig.untilQuiet()).toContain('c');
  });

  it('deposes a leader that is cut off, and undoes what only it had', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    rig.partition(['n1'], ['n2', 'n3']);
    const { node, machine } = rig.place('n1');
    node.propose(Buffer.from('only here'));
    await rig.until(() => rig.leaders.some(({ name }) => name !== 'n1'), 5_000);
    await rig.until(() => !rig.place('n1').leads, 2_000);
    expect(machine.aborted).toHaveLength(1);
    await rig.write('b');
    rig.heal();
    expect(await rig.untilQuiet()).toEqual(['a', 'b']);
    const notLeader = 'raft: failed to process the request: node lost leader status';
    const error = expect.objectContaining({ code: Code.FAILED_PRECONDITION, message: notLeader });
    expect(() => node.nextIndex).toThrow(error);
  });

  it('does not disturb a leader when one comes back that heard nothing for long', async () => {
    const rig = await cluster(3);
    const { term } = rig.node('n1').status;
    rig.partition(['n3'], ['n1', 'n2']);
    await rig.clock.advance(60_000);
    rig.heal();
    await rig.write('a');
    await rig.untilQuiet();
    expect(rig.node('n1').status.term).toBe(term);
    expect(rig.place('n1').leads).toBe(true);
  });

  it('starts again after all crashed, in any order', async () => {
    const orders = [
      ['n1', 'n2', 'n3'],
      ['n3', 'n2', 'n1'],
      ['n2', 'n3', 'n1'],
    ];
    const rig = await cluster(3);
    for (const [round, order] of orders.entries()) {
      await rig.write(`round ${round}`);
      for (const name of order) await rig.crash(name, rig.random);
      for (const name of order) {
        await rig.start(name);
        await rig.clock.advance(700);
      }
      await rig.leader(5_000);
    }
    expect(await rig.untilQuiet()).toEqual(['round 0', 'round 1', 'round 2']);
  });

  it('brings one that is far behind up to date by a snapshot in parts', async () => {
    const rig = await cluster(3, (rig) => {
      Object.assign(rig.settings, { snapshotIntervalEntries: 50, entriesKeptBehind: 5 });
    });
    await rig.crash('n3');
    const large = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(1_000_000));
    await rig.write(...large, ...texts(1, 120));
    await rig.start('n3');
    expect(await rig.untilQuiet()).toEqual([...large, ...texts(1, 120)]);
    expect(await rig.place('n3').disk.list('/raft/snapshots')).not.toHaveLength(0);
    await rig.crash('n3', rig.random);
    await rig.start('n3');
    await rig.write('after');
    expect(await rig.untilQuiet()).toEqual([...large, ...texts(1, 120), 'after']);
    await rig.join('n4');
    expect(await rig.untilQuiet()).toHaveLength(126);
    expect(rig.node('n4').status.members).toHaveLength(4);
  });

  it('answers a read barrier on every manager only with all that was acknowledged', async () => {
    const rig = await cluster(3);
    await rig.write(...texts(1, 3));
    for (const { node, machine } of rig.up) {
      await rig.soon(node.readBarrier());
      expect(machine.texts).toEqual(texts(1, 3));
    }
    await settle();
    expect(rig.clock.pendingTimers).toBeLessThan(20);
  });
});
