import { Code, RpcError } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { describe, expect, it } from 'vitest';
import { TRANSFER_CONTEXT } from './candidacy.js';
import type { Message } from './contract.js';
import { OUTBOX_ANSWERS_MAX, PENDING_READS_MAX } from './limits.js';
import { emptyMessage } from './outbox.js';
import { changeData } from './testing/node.js';
import { Single, type SingleOptions } from './testing/single.js';

/*
 * What goes beyond the paper: Ongaro's thesis by section, and the rules of etcd-raft that its peers
 * rely on.
 */

const LEASE = { checkQuorum: true };
const PRE_VOTE = { checkQuorum: true, preVote: true };

function leader(options: SingleOptions = {}): Single {
  const node = new Single(options);
  node.core.campaign(true);
  for (const other of options.others ?? [2, 3]) {
    node.receive(MessageType.MsgVoteResp, other, Number(node.status.term));
  }
  const { last, term } = node.status;
  node.receive(MessageType.MsgAppResp, 2, Number(term), { index: last.index });
  node.flush();
  expect(node.status.isReady).toBe(true);
  return node;
}

function follower(options: SingleOptions = {}): Single {
  const node = new Single(options);
  node.receive(MessageType.MsgHeartbeat, 2, options.term ?? 1);
  return node;
}

/** Lets time pass until it asks whether it could win, and returns what it asks. */
function untilAsked(node: Single): readonly Message[] {
  for (let ticks = 0; ticks < 20; ticks++) {
    const asked = node.tick();
    if (asked.length > 0) return asked;
  }
  return [];
}

const transfer = { context: TRANSFER_CONTEXT };

describe('3.10 leadership transfer', () => {
  it('TimeoutNow starts an election at once, without a pre-vote, and says why', () => {
    const node = follower({ settings: PRE_VOTE });
    const requests = node.receive(MessageType.MsgTimeoutNow, 2, 1);
    const request = { type: MessageType.MsgVote, term: 2n, ...transfer };
    expect(requests).toMatchObject([request, request]);
  });

  it('nothing is proposed during a transfer', () => {
    const node = leader();
    node.core.transferLeadership(3n);
    const refused = expect.objectContaining({ code: Code.FAILED_PRECONDITION });
    expect(() => node.core.propose(Buffer.from('x'))).toThrow(refused);
    expect(() => node.core.proposeChange(Buffer.from('x'))).toThrow(refused);
  });

  it('goes to another voter only', () => {
    const node = leader();
    for (const to of [1n, 9n]) {
      expect(() => node.core.transferLeadership(to)).toThrow(RpcError);
    }
    expect(() => new Single().core.transferLeadership(2n)).toThrow(/not the leader/);
  });

  it('TimeoutNow of a former term, or to one that may not vote, does nothing', () => {
    const node = follower({ term: 3 });
    expect(node.receive(MessageType.MsgTimeoutNow, 2, 2)).toEqual([]);
    node.core.configChanged([2n, 3n]);
    expect(node.receive(MessageType.MsgTimeoutNow, 2, 3)).toEqual([]);
    expect(node.status.role).toBe('follower');
  });
});

describe('4.2.3 disruptive servers', () => {
  it('a vote of a higher term is ignored while a leader is heard of', () => {
    const node = follower({ settings: LEASE });
    node.tick(9);
    expect(node.receive(MessageType.MsgVote, 3, 7)).toEqual([]);
    expect(node.status.term).toBe(1n);
    node.tick(1);
    expect(node.receive(MessageType.MsgVote, 3, 7)[0]).toMatchObject({ reject: false, term: 7n });
  });

  it('unless the leader asked for the election', () => {
    const node = follower({ settings: LEASE });
    expect(node.receive(MessageType.MsgVote, 3, 2, transfer)[0]).toMatchObject({ reject: false });
  });

  it('a leader ignores it as long as it leads', () => {
    const node = leader({ settings: LEASE });
    node.tick(9);
    expect(node.receive(MessageType.MsgVote, 3, 7, { index: 99n, logTerm: 6n })).toEqual([]);
    expect(node.status).toMatchObject({ role: 'leader', term: 1n });
  });
});

describe('6.2 finding out that one leads no more', () => {
  it('a leader without a quorum for an election timeout steps down', () => {
    const node = leader({ settings: LEASE });
    node.tick(10);
    expect(node.status.role).toBe('leader');
    node.tick(10);
    expect(node.status).toMatchObject({ role: 'follower', term: 1n, leaderId: 0n });
  });

  it('answers to heartbeats keep it', () => {
    const node = leader({ settings: LEASE });
    for (let count = 0; count < 10; count++) {
      node.tick(9);
      node.receive(MessageType.MsgHeartbeatResp, 2, 1);
    }
    expect(node.status.role).toBe('leader');
  });

  it('an append or heartbeat of a lower term is answered with the own term, nothing else is', () => {
    const node = follower({ term: 5 });
    const answer = { type: MessageType.MsgAppResp, term: 5n, to: 3n };
    expect(node.receive(MessageType.MsgApp, 3, 4)).toMatchObject([answer]);
    expect(node.receive(MessageType.MsgHeartbeat, 3, 4)).toMatchObject([answer]);
    for (const type of [MessageType.MsgVote, MessageType.MsgSnap, MessageType.MsgAppResp]) {
      expect(node.receive(type, 3, 4)).toEqual([]);
    }
  });
});

describe('6.4 reads', () => {
  it('are bounded', () => {
    const node = leader();
    for (let count = 0; count < PENDING_READS_MAX; count++) {
      expect(node.core.requestRead(Buffer.from(`${count}`))).toBe(true);
    }
    expect(node.core.requestRead(Buffer.from('more'))).toBe(false);
  });

  it('of a follower name themselves in an entry, as etcd-raft expects', () => {
    const node = follower();
    node.core.requestRead(Buffer.from('r'));
    const [asked] = node.flush();
    expect(asked).toMatchObject({ type: MessageType.MsgReadIndex, to: 2n, term: 1n });
    expect(asked!.entries.map(({ data }) => `${data}`)).toEqual(['r']);
    const entries = asked!.entries;
    node.receive(MessageType.MsgReadIndexResp, 2, 1, { index: 7n, entries });
    expect(node.reads).toEqual([{ context: Buffer.from('r'), index: 7n }]);
  });

  it('are not asked of a node that does not lead', () => {
    const node = follower();
    const entries = [{ index: 0n, term: 0n, type: 0, data: Buffer.from('r') }];
    expect(node.receive(MessageType.MsgReadIndex, 3, 1, { entries })).toEqual([]);
    expect(node.receive(MessageType.MsgReadIndex, 3, 1)).toEqual([]);
  });

  it('a lone leader confirms by itself', () => {
    const node = new Single({ others: [] });
    node.core.campaign(false);
    node.flush();
    node.core.requestRead(Buffer.from('r'));
    node.flush();
    expect(node.reads).toMatchObject([{ index: 1n }]);
  });
});

describe('9.6 pre-vote', () => {
  it('asks without changing term or vote, and stands when it would win', () => {
    const node = new Single({ settings: PRE_VOTE, term: 3 });
    const asked = untilAsked(node);
    expect(asked).toMatchObject([{ type: MessageType.MsgPreVote, term: 4n }, { term: 4n }]);
    expect(node.status).toMatchObject({ role: 'pre-candidate', term: 3n, vote: 0n });
    node.receive(MessageType.MsgPreVoteResp, 2, 4);
    expect(node.status).toMatchObject({ role: 'candidate', term: 4n, vote: 1n });
  });

  it('is answered whether or not this node uses it, and changes nothing', () => {
    const node = new Single({ term: 3 });
    const [yes] = node.receive(MessageType.MsgPreVote, 2, 9);
    expect(yes).toMatchObject({ type: MessageType.MsgPreVoteResp, term: 9n, reject: false });
    const [again] = node.receive(MessageType.MsgPreVote, 3, 9);
    expect(again).toMatchObject({ reject: false });
    expect(node.status).toMatchObject({ term: 3n, vote: 0n });
  });

  it('is refused to a shorter log and to a lower term, with the own term', () => {
    const node = new Single({ term: 3, terms: [1, 3] });
    const fields = { index: 1n, logTerm: 1n };
    const no = { type: MessageType.MsgPreVoteResp, term: 3n, reject: true };
    expect(node.receive(MessageType.MsgPreVote, 2, 4, fields)).toMatchObject([no]);
    expect(node.receive(MessageType.MsgPreVote, 2, 2, fields)).toMatchObject([no]);
  });

  it('a refusal with a higher term is believed, a stale grant is not', () => {
    const node = new Single({ settings: PRE_VOTE, term: 3 });
    untilAsked(node);
    node.receive(MessageType.MsgPreVoteResp, 2, 3);
    expect(node.status.role).toBe('pre-candidate');
    node.receive(MessageType.MsgPreVoteResp, 2, 6, { reject: true });
    expect(node.status).toMatchObject({ role: 'follower', term: 6n });
  });

  it('is refused by a rival of a larger id or with more of the log, as long as it is one', () => {
    const rival = (terms: number[]) => {
      const node = new Single({ others: [0x10, 3], settings: PRE_VOTE, term: 3, terms });
      untilAsked(node);
      return node;
    };
    const ask = (node: Single, last: number) =>
      node.receive(MessageType.MsgPreVote, 3, 4, { index: BigInt(last), logTerm: 1n })[0]?.reject;
    expect(ask(rival([1, 1]), 1)).toBe(true);
    expect(ask(rival([1]), 1)).toBe(false);
    expect(ask(rival([1]), 2)).toBe(false);
  });

  it('a hint makes a follower look within three ticks, and no lease of that leader protects it', () => {
    const node = follower({ settings: PRE_VOTE });
    expect(node.receive(MessageType.MsgPreVote, 3, 2)).toEqual([]);
    node.core.hintLeaderLost();
    expect(node.receive(MessageType.MsgPreVote, 3, 2)).toHaveLength(1);
    expect(node.tick(3).filter(({ type }) => type === MessageType.MsgPreVote)).toHaveLength(2);
  });

  it('a hint is forgotten when the leader is heard of, and means nothing without pre-vote', () => {
    const node = follower({ settings: PRE_VOTE });
    node.core.hintLeaderLost();
    node.receive(MessageType.MsgHeartbeat, 2, 1);
    expect(node.tick(9)).toEqual([]);
    const plain = follower({ settings: LEASE });
    plain.core.hintLeaderLost();
    expect(plain.tick(9)).toEqual([]);
    expect(plain.receive(MessageType.MsgVote, 3, 2)).toEqual([]);
  });
});

describe('10.2.1 writing to the disk in parallel', () => {
  it('a leader counts its own copy when it is durable', () => {
    const node = leader({ others: [2] });
    node.core.propose(Buffer.from('x'));
    const effects = node.core.takeEffects()!;
    expect(effects.messages).toHaveLength(1);
    const acknowledgement = emptyMessage(MessageType.MsgAppResp, 2n, 1n, 1n);
    node.core.step({ ...acknowledgement, index: 2n });
    expect(node.status.commit).toBe(1n);
    node.core.persisted(effects.sequence);
    expect(node.status.commit).toBe(2n);
  });
});

describe('commits that are not announced', () => {
  const settings = { announcesCommits: false };
  const acknowledged = (node: Single, index: bigint) =>
    node.receive(MessageType.MsgAppResp, 2, 1, { index });

  it('go with the next append or heartbeat', () => {
    const node = leader({ settings });
    node.core.propose(Buffer.from('x'));
    node.flush();
    expect(acknowledged(node, 2n)).toEqual([]);
    expect(node.status.commit).toBe(2n);
    expect(node.tick()[0]).toMatchObject({ type: MessageType.MsgHeartbeat, to: 2n, commit: 2n });
    node.core.propose(Buffer.from('y'));
    expect(node.flush()[0]).toMatchObject({ type: MessageType.MsgApp, to: 2n, commit: 2n });
  });

  it('are announced when they change the membership', () => {
    const node = leader({ settings });
    node.core.proposeChange(changeData('add', 4n));
    node.flush();
    const sent = acknowledged(node, 2n);
    expect(sent).toContainEqual(expect.objectContaining({ to: 2n, entries: [], commit: 2n }));
  });
});

describe('messages that no peer should send', () => {
  const kinds = [...Array(32).keys()];

  it('do nothing: local and unknown types, foreign or empty addresses, no term', () => {
    for (const make of [follower, leader]) {
      const node = make();
      const before = node.status;
      for (const type of [0, 1, 2, 10, 11, 12, 13, 19, 20, 21, 22, 23, 99]) {
        expect(node.receive(type, 3, 9)).toEqual([]);
      }
      for (const type of kinds) {
        expect(node.receive(type, 3, 0)).toEqual([]);
        expect(node.receive(type, 0, 9)).toEqual([]);
        expect(node.receive(type, 1, 9)).toEqual([]);
        expect(node.receive(type, 3, 9, { to: 2n })).toEqual([]);
      }
      expect(node.status).toEqual(before);
    }
  });

  it('answers from outside of the configuration are dropped', () => {
    const node = leader();
    for (const type of [MessageType.MsgAppResp, MessageType.MsgHeartbeatResp]) {
      node.receive(type, 9, 7);
    }
    expect(node.status).toMatchObject({ role: 'leader', term: 1n });
  });

  it('an acknowledgement beyond the log is not believed', () => {
    const node = leader();
    node.receive(MessageType.MsgAppResp, 3, 1, { index: 100n });
    expect(node.core.progress.get(3n)).toMatchObject({ match: 0n });
  });

  it('a heartbeat that commits beyond the log commits nothing', () => {
    const node = follower();
    node.receive(MessageType.MsgHeartbeat, 2, 1, { commit: 9n });
    expect(node.status.commit).toBe(0n);
  });

  it('entries with gaps, or of terms that cannot be, are dropped', () => {
    const node = follower({ term: 2 });
    const entry = (index: bigint, term: bigint) => ({
      index,
      term,
      type: 0,
      data: Buffer.from(''),
    });
    for (const entries of [
      [entry(2n, 1n)],
      [entry(1n, 1n), entry(3n, 1n)],
      [entry(1n, 2n), entry(2n, 1n)],
      [entry(1n, 3n)],
    ]) {
      expect(node.receive(MessageType.MsgApp, 2, 2, { entries })).toEqual([]);
    }
    expect(node.status.last.index).toBe(0n);
  });

  it('are bounded when nobody takes the answers', () => {
    const node = follower();
    for (let count = 0; count < OUTBOX_ANSWERS_MAX + 10; count++) {
      node.core.step(emptyMessage(MessageType.MsgHeartbeat, 2n, 1n, 1n));
    }
    expect(node.flush()).toHaveLength(OUTBOX_ANSWERS_MAX);
  });

  it('two leaders in one term are a broken invariant', () => {
    const node = leader();
    expect(() => node.receive(MessageType.MsgHeartbeat, 2, 1)).toThrow(/two leaders/);
    const other = follower();
    expect(() => other.receive(MessageType.MsgHeartbeat, 3, 1)).toThrow(/two leaders/);
  });
});

describe('rejections of etcd 3.3, which name no term', () => {
  it('bring the leader to the end of the follower log', () => {
    const node = leader({ term: 4, terms: [1, 2, 3, 4] });
    node.tick(1);
    node.receive(MessageType.MsgHeartbeatResp, 3, 5);
    const [append] = node.receive(MessageType.MsgAppResp, 3, 5, {
      reject: true,
      index: 4n,
      rejectHint: 2n,
    });
    expect(append).toMatchObject({ type: MessageType.MsgApp, index: 2n, logTerm: 2n });
  });

  it('with a term, whole terms are skipped', () => {
    const node = leader({ term: 4, terms: [1, 1, 3, 3] });
    node.tick(1);
    const [append] = node.receive(MessageType.MsgAppResp, 3, 5, {
      reject: true,
      index: 4n,
      rejectHint: 4n,
      logTerm: 2n,
    });
    expect(append).toMatchObject({ type: MessageType.MsgApp, index: 2n, logTerm: 1n });
  });
});
