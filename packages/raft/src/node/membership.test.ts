import { Code } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { describe, expect, it } from 'vitest';
import { blankMessage } from '../peers/codec.js';
import { ClusterRig } from './testing-cluster.js';

const modes = describe.each([false, true]);

modes('membership (by calls: %s)', (usesCalls) => {
  const cluster = (size: number) => ClusterRig.of(size, (rig) => void (rig.usesCalls = usesCalls));

  it('takes a joiner whose answer got lost back under the id it was given', async () => {
    const rig = await cluster(1);
    const leader = rig.node('n1');
    const lost = await rig.soon(leader.addMember('n2', 'n2:2377'));
    await rig.join('n2');
    expect(rig.node('n2').status.raftId).toBe(lost.raftId);
    await rig.write('a');
    expect(await rig.untilQuiet()).toEqual(['a']);
  });

  it('gives the third another id when its answer got lost: the second could have had its vote', async () => {
    const rig = await cluster(2);
    const lost = await rig.soon(rig.node('n1').addMember('n3', 'n3:2377'));
    await rig.join('n3');
    expect(rig.node('n3').status.raftId).not.toBe(lost.raftId);
    expect(rig.node('n1').status.members).toHaveLength(3);
  });

  it('gives a member that lost its log another id, and the old one never again', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    const before = rig.node('n3').status.raftId;
    await rig.crash('n3');
    rig.places.delete('n3');
    await rig.join('n3');
    await rig.write('b');
    expect(await rig.untilQuiet()).toEqual(['a', 'b']);
    expect(rig.node('n3').status.raftId).not.toBe(before);
    expect(rig.node('n1').status.members).toHaveLength(3);
  });

  it('keeps the id of a member that has its log, and tells the others its new address', async () => {
    const rig = await cluster(3);
    const leader = rig.node('n1');
    const { raftId } = rig.node('n2').status;
    const answer = await rig.soon(leader.addMember('n2', 'moved:2377', raftId));
    expect(answer.raftId).toBe(raftId);
    expect(leader.status.members.map(({ address }) => address)).toContain('moved:2377');
    const again = await rig.soon(leader.addMember('n2', 'n2:2377', raftId));
    expect(again.raftId).toBe(raftId);
    await rig.write('a');
    expect(await rig.untilQuiet()).toEqual(['a']);
  });

  it('gives a joiner the whole log from a leader that restarted before its first snapshot', async () => {
    const rig = await cluster(1);
    const leader = rig.node('n1');
    const texts = Array.from({ length: 600 }, (_, number) => `${number}`);
    for (const text of texts) leader.propose(Buffer.from(text));
    await rig.until(() => rig.place('n1').machine.texts.length === texts.length);
    await rig.write('last'); // says on disk what is committed before it
    await rig.crash('n1');
    await rig.start('n1');
    await rig.join('n2');
    expect(await rig.untilQuiet()).toEqual([...texts, 'last']);
  });

  it('finds its leader after a restart in the middle of catching up', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    await rig.soon(rig.node('n1').transferLeadership(rig.node('n2').status.raftId));
    await rig.until(() => rig.place('n2').leads);
    rig.network.fate = ({ from, to }) => ([from, to].includes('n4:2377') ? [] : [0]);
    await rig.join('n4');
    await rig.crash('n4');
    await rig.start('n4');
    rig.heal();
    await rig.write('b');
    expect(await rig.untilQuiet()).toEqual(['a', 'b']);
  });

  it('answers the third when the leader died that alone knew of its admission with it', async () => {
    const rig = await cluster(2);
    const before = rig.node('n1').status.commitIndex;
    // The second gets the entry and never hears that it is committed.
    rig.network.fate = ({ from, to, message }) => {
      const tells = from === 'n1:2377' && to === 'n2:2377' && (message?.commit ?? 0n) > before;
      return tells ? [] : [0];
    };
    await rig.join('n3');
    expect(rig.node('n2').status.members).toHaveLength(2);
    await rig.crash('n1');
    rig.heal();
    await rig.write('a');
    expect(rig.node('n2').status.members).toHaveLength(3);
  });

  it('catches up from a leader that joined while it was away', async () => {
    const rig = await cluster(3);
    await rig.crash('n3');
    const { node } = await rig.join('n4');
    await rig.write('a');
    await rig.soon(rig.node('n1').transferLeadership(node.status.raftId));
    await rig.until(() => rig.place('n4').leads);
    await rig.start('n3');
    await rig.write('b');
    expect(await rig.untilQuiet()).toEqual(['a', 'b']);
    expect(rig.node('n3').status.members).toHaveLength(4);
  });

  it('tells a removed member, which then stays away', async () => {
    const rig = await cluster(3);
    let changes = 0;
    rig.node('n3').onChange(() => changes++);
    const { raftId, term } = rig.node('n3').status;
    await rig.soon(rig.node('n1').removeMember(raftId));
    await rig.until(() => rig.node('n3').status.isRemoved, 2_000);
    expect(changes).toBeGreaterThan(0);
    await rig.clock.advance(30_000);
    expect(rig.node('n1').status.term).toBe(term);
    const from = { code: Code.NOT_FOUND, message: 'raft: member was removed from the cluster' };
    await expect(rig.soon(rig.node('n1').removeMember(raftId))).rejects.toMatchObject({
      code: Code.NOT_FOUND,
    });
    const to = rig.node('n1').status.raftId;
    const message = blankMessage({ type: MessageType.MsgPreVote, from: raftId, to, term });
    const received = rig.node('n1').receive({ message, snapshotData: undefined });
    await expect(received).rejects.toMatchObject(from);
  });

  it('tells one that was removed while it was away when it comes back', async () => {
    const rig = await cluster(3);
    const { raftId } = rig.node('n3').status;
    await rig.crash('n3');
    await rig.soon(rig.node('n1').removeMember(raftId));
    const { node } = await rig.start('n3');
    await rig.until(() => node.status.isRemoved, 10_000);
    expect(() => node.nextIndex).toThrow('not ready');
    await rig.write('a');
    await rig.until(() => rig.place('n2').machine.texts.join() === 'a');
  });

  it('refuses to remove the last member, or one without which there is no quorum', async () => {
    const rig = await cluster(3);
    const [first, second, third] = ['n1', 'n2', 'n3'].map((name) => rig.node(name).status.raftId);
    const { node } = rig.place('n1');
    expect([first, second, third].map((id) => node.canRemove(id!))).toEqual([true, true, true]);
    await rig.crash('n3');
    await rig.clock.advance(500);
    expect([first, second, third].map((id) => node.canRemove(id!))).toEqual([false, false, true]);
    const text = 'raft: member cannot be removed, because removing it may result in loss of quorum';
    await expect(rig.soon(node.removeMember(second!))).rejects.toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message: text,
    });
    await rig.soon(node.removeMember(third!));
    await rig.soon(node.removeMember(second!));
    await expect(rig.soon(node.removeMember(first!))).rejects.toThrow('cannot be removed');
    await rig.write('alone');
    expect(rig.place('n1').machine.texts).toEqual(['alone']);
  });

  it('removes nobody while one of the others lost its log, whatever its connection says', async () => {
    const rig = await cluster(3);
    const { node } = rig.place('n1');
    const second = rig.node('n2').status.raftId;
    await rig.crash('n3');
    rig.places.delete('n3');
    const unlisten = rig.network.listen('n3:2377', {
      receive: async () => {},
      status: { members: [] },
    });
    await rig.clock.advance(2_000);
    expect(node.status.members.every(({ isReachable }) => isReachable)).toBe(true);
    await expect(rig.soon(node.removeMember(second))).rejects.toMatchObject({
      code: Code.FAILED_PRECONDITION,
    });
    unlisten();
    await rig.join('n3');
    await rig.soon(node.removeMember(second));
    await rig.write('a');
    await rig.until(() => rig.place('n3').machine.texts.join() === 'a');
  });

  it('lets a leader that removed itself go, and another one follow', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    const { node, machine } = rig.place('n1');
    await rig.soon(node.removeMember(node.status.raftId));
    await rig.until(() => node.status.isRemoved, 2_000);
    await rig.until(() => rig.leaders.some(({ name }) => name !== 'n1'), 3_000);
    expect(rig.place('n1').leads).toBe(false);
    expect(machine.texts).toEqual(['a']);
  });

  it('makes changes one at a time, in the order they were asked for', async () => {
    const rig = await cluster(3);
    const { node } = rig.place('n1');
    const { appliedIndex } = node.status;
    const nodes = [4, 5].map((n) => node.addMember(`n${n}`, `n${n}:2377`));
    const answers = await rig.soon(Promise.all(nodes));
    expect(answers.map(({ members }) => members.length)).toEqual([4, 5]);
    expect(node.status.appliedIndex).toBe(appliedIndex + 2n);
    // With three of five there is a quorum; a sixth that does not answer would leave none.
    await expect(rig.soon(node.addMember('n6', 'n6:2377'))).resolves.toBeDefined();
    await rig.clock.advance(500);
    await expect(rig.soon(node.addMember('n7', 'n7:2377'))).rejects.toMatchObject({
      code: Code.UNKNOWN,
    });
  });
});

modes('transfer of leadership (by calls: %s)', (usesCalls) => {
  const cluster = (size: number) => ClusterRig.of(size, (rig) => void (rig.usesCalls = usesCalls));

  it('goes to whom it is meant for', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    const { raftId } = rig.node('n3').status;
    await rig.soon(rig.node('n1').transferLeadership(raftId), 1_000);
    await rig.until(() => rig.place('n3').leads, 1_000);
    await rig.write('b');
    expect(await rig.untilQuiet()).toEqual(['a', 'b']);
    await expect(rig.node('n1').transferLeadership()).rejects.toThrow('lost leader status');
  });

  // A call that gets lost holds up those behind it: then it is an election that finds another
  // leader.
  it('comes before a clean stop, so that nobody waits for an election', async () => {
    const rig = await cluster(3);
    await rig.write('a');
    await rig.stop('n1');
    await rig.leader(200);
    await rig.write('b');
    expect(await rig.untilQuiet()).toEqual(['a', 'b']);
  });

  it('keeps a stop no longer than 2 s', async () => {
    const rig = await cluster(3);
    await rig.crash('n2');
    await rig.crash('n3');
    const { node, machine } = rig.place('n1');
    node.propose(Buffer.from('never known'));
    const startedMs = rig.clock.monotonic();
    await rig.stop('n1');
    expect(rig.clock.monotonic() - startedMs).toBeLessThanOrEqual(2_100);
    expect(machine.aborted).toHaveLength(1);
  });
});

describe('force-new-cluster', () => {
  const cluster = (size: number) => ClusterRig.of(size);

  it('goes on alone with all that was acknowledged, and grows again', async () => {
    const rig = await cluster(3);
    await rig.write('a', 'b');
    for (const name of ['n1', 'n2', 'n3']) await rig.crash(name, rig.random);
    const { node, machine } = await rig.start('n2', { kind: 'force-new-cluster' });
    expect(machine.texts).toEqual(['a', 'b']);
    expect(node.status.members.map(({ nodeId }) => nodeId)).toEqual(['n2']);
    await rig.write('c');
    for (const name of ['n1', 'n3']) {
      const { node: left } = await rig.start(name);
      await rig.until(() => left.status.isRemoved, 10_000);
      await rig.crash(name);
      rig.places.delete(name);
      await rig.join(name);
    }
    expect(await rig.untilQuiet()).toEqual(['a', 'b', 'c']);
    expect(node.status.members).toHaveLength(3);
  });

  it('needs a log, and may be asked for twice', async () => {
    const rig = new ClusterRig();
    const entry = { kind: 'force-new-cluster' } as const;
    await expect(rig.start('n1', entry)).rejects.toThrow('there is no log');
    const again = await cluster(2);
    await again.write('a');
    await again.crash('n2');
    await again.crash('n1');
    await again.start('n1', entry);
    await again.crash('n1');
    await again.start('n1', entry);
    await again.write('b');
    expect(again.place('n1').machine.texts).toEqual(['a', 'b']);
  });
});

/*
 * Over calls a lost message holds up all that follow, and the leader steps down for want of
 * answers.
 */
describe('transfer of leadership when single messages are lost', () => {
  it('goes on to the next when the first cannot, and says when none can', async () => {
    const rig = await ClusterRig.of(3);
    await rig.write('a');
    rig.network.fate = ({ message }) => (message?.type === MessageType.MsgTimeoutNow ? [] : [0]);
    const transfer = rig.node('n1').transferLeadership();
    await expect(rig.soon(transfer)).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    await rig.write('b');
    expect(rig.place('n1').leads).toBe(true);
    rig.heal();
    await rig.soon(rig.node('n1').transferLeadership());
    expect(rig.place('n1').leads).toBe(false);
  });
});
