import { SimRandom } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { describe, expect, it } from 'vitest';
import type { Message } from './contract.js';
import { TestCluster, textsOf } from './testing/cluster.js';
import { emptyDisk } from './testing/node.js';
import { entriesOf, Single, type SingleOptions } from './testing/single.js';

/*
 * A test for each clause of "In Search of an Understandable Consensus Algorithm" (extended
 * version), by its section.
 */

const ELECTION_TICKS_MAX = 20;

function candidate(options: SingleOptions = {}): Single {
  const node = new Single(options);
  node.core.campaign(false);
  node.flush();
  return node;
}

/** Elected by all, nothing acknowledged. */
function leader(options: SingleOptions = {}): Single {
  const node = candidate(options);
  const term = Number(node.status.term);
  for (const other of options.others ?? [2, 3]) {
    node.receive(MessageType.MsgVoteResp, other, term);
  }
  expect(node.status.role).toBe('leader');
  node.flush();
  return node;
}

/** Follower of 2, in the given term. */
function follower(options: SingleOptions = {}): Single {
  const node = new Single(options);
  node.receive(MessageType.MsgHeartbeat, 2, options.term ?? 1);
  return node;
}

/** Of 2 and 3: acknowledge the last entry. */
function acknowledge(node: Single, from: number): readonly Message[] {
  const { term, last } = node.status;
  return node.receive(MessageType.MsgAppResp, from, Number(term), { index: last.index });
}

const ROLES: [string, (options?: SingleOptions) => Single][] = [
  ['follower', follower],
  ['candidate', candidate],
  ['leader', leader],
];

describe('5.1 terms', () => {
  for (const [role, make] of ROLES) {
    it(`a ${role} that sees a larger term adopts it and follows`, () => {
      const node = make();
      node.receive(MessageType.MsgApp, 2, 5);
      expect(node.status).toMatchObject({ role: 'follower', term: 5n, leaderId: 2n, vote: 0n });
      expect(node.disk.hardState).toMatchObject({ term: 5n, vote: 0n });
    });

    it(`a ${role} refuses a request of a stale term`, () => {
      const node = make({ term: 4 });
      const { term, last } = node.status;
      const [answer, ...rest] = node.receive(MessageType.MsgApp, 2, 3, { entries: entriesOf([3]) });
      expect(rest).toEqual([]);
      expect(answer).toMatchObject({ type: MessageType.MsgAppResp, term, index: 0n });
      expect(node.status).toMatchObject({ term, last });
      expect(node.receive(MessageType.MsgVote, 3, 3, { index: 99n, logTerm: 3n })).toEqual([]);
    });
  }
});

describe('5.2 leader election', () => {
  it('servers start up as followers', () => {
    expect(new Single({ term: 3 }).status).toMatchObject({ role: 'follower', leaderId: 0n });
  });

  it('a leader sends heartbeats to all, to keep its authority', () => {
    const node = leader();
    expect(node.tick()).toMatchObject([
      { type: MessageType.MsgHeartbeat, to: 2n, term: 1n, commit: 0n },
      { type: MessageType.MsgHeartbeat, to: 3n, term: 1n, commit: 0n },
    ]);
  });

  it('a follower that hears of its leader stays one', () => {
    const node = follower();
    for (let count = 0; count < 50; count++) {
      node.tick(9);
      node.receive(MessageType.MsgHeartbeat, 2, 1);
    }
    expect(node.status).toMatchObject({ role: 'follower', term: 1n, leaderId: 2n });
  });

  for (const [role, make] of ROLES.slice(0, 2)) {
    it(`a ${role} whose timeout passes begins an election: term, own vote, requests to all`, () => {
      const node = make();
      const requests = node.tick(ELECTION_TICKS_MAX);
      const term = node.status.term;
      expect(node.status).toMatchObject({ role: 'candidate', vote: 1n });
      expect(term).toBe(2n);
      expect(requests).toMatchObject([
        { type: MessageType.MsgVote, to: 2n, term },
        { type: MessageType.MsgVote, to: 3n, term },
      ]);
    });
  }

  it('votes are asked for only when the own one is durable', () => {
    const node = new Single();
    node.core.campaign(false);
    const effects = node.core.takeEffects()!;
    expect(effects.messages).toEqual([]);
    expect(effects.hardState).toEqual({ term: 1n, vote: 1n, commit: 0n });
    expect(effects.messagesWhenDurable).toHaveLength(2);
  });

  it.each([
    [1, 0, 0, 'leader'],
    [3, 1, 0, 'leader'],
    [3, 2, 0, 'leader'],
    [5, 2, 0, 'leader'],
    [5, 4, 0, 'leader'],
    [5, 2, 2, 'leader'],
    [3, 0, 2, 'follower'],
    [5, 1, 3, 'follower'],
    [5, 0, 4, 'follower'],
    [3, 0, 0, 'candidate'],
    [3, 0, 1, 'candidate'],
    [5, 1, 0, 'candidate'],
    [5, 1, 2, 'candidate'],
    [4, 1, 1, 'candidate'],
  ])(
    'of %i voters, %i others for it and %i against make it %s',
    (count, granted, refused, role) => {
      const others = Array.from({ length: count - 1 }, (_, at) => at + 2);
      const node = candidate({ others });
      others.slice(0, granted).forEach((from) => {
        node.receive(MessageType.MsgVoteResp, from, 1);
      });
      others.slice(granted, granted + refused).forEach((from) => {
        node.receive(MessageType.MsgVoteResp, from, 1, { reject: true });
      });
      expect(node.status.role).toBe(role);
    },
  );

  it('a vote counts once, and only from voters of this term', () => {
    const node = candidate({ others: [2, 3, 4, 5] });
    node.receive(MessageType.MsgVoteResp, 2, 1);
    node.receive(MessageType.MsgVoteResp, 2, 1);
    node.receive(MessageType.MsgVoteResp, 9, 1);
    expect(node.status.role).toBe('candidate');
  });

  it.each([
    [0, 2, true],
    [0, 3, true],
    [2, 2, true],
    [3, 3, true],
    [2, 3, false],
    [3, 2, false],
  ])(
    'each server votes for one in a term, first come, first served: %i, then %i',
    (first, then, ok) => {
      const node = new Single({ term: 1 });
      if (first > 0) node.receive(MessageType.MsgVote, first, 1);
      const [answer] = node.receive(MessageType.MsgVote, then, 1);
      expect(answer).toMatchObject({ type: MessageType.MsgVoteResp, term: 1n, reject: !ok });
    },
  );

  it('a vote survives a crash', () => {
    const node = new Single();
    node.receive(MessageType.MsgVote, 2, 1);
    node.restart();
    expect(node.receive(MessageType.MsgVote, 3, 1)[0]).toMatchObject({ reject: true });
    expect(node.receive(MessageType.MsgVote, 2, 1)[0]).toMatchObject({ reject: false });
  });

  it.each([1, 2])('a candidate that hears of a leader of term %i follows it', (term) => {
    const node = candidate();
    node.receive(MessageType.MsgApp, 2, term);
    expect(node.status).toMatchObject({ role: 'follower', term: BigInt(term), leaderId: 2n });
  });

  for (const [role, make] of ROLES.slice(0, 2)) {
    it(`the election timeout of a ${role} is random, from one to two election times`, () => {
      const counts = new Map<number, number>();
      const node = make();
      for (let round = 0; round < 1000; round++) {
        if (role === 'follower') {
          node.receive(MessageType.MsgHeartbeat, 2, Number(node.status.term) + 1);
        }
        const { term } = node.status;
        let ticks = 0;
        for (; node.status.term === term; ticks++) node.tick();
        counts.set(ticks, (counts.get(ticks) ?? 0) + 1);
      }
      const seen = [...counts.keys()].sort((a, b) => a - b);
      expect(seen).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    });
  }

  it('split votes are rare: mostly one times out before the others', () => {
    let conflicts = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = new SimRandom(seed);
      const cluster = new TestCluster({ random, voters: [1n, 2n, 3n, 4n, 5n] });
      let ready = 0;
      while (ready === 0) {
        for (const { core } of cluster.nodes.values()) {
          core.tick();
          if (core.status.role === 'candidate') ready++;
        }
      }
      if (ready > 1) conflicts++;
    }
    expect(conflicts / 300).toBeLessThan(0.4);
  });
});

describe('5.3 log replication', () => {
  it('a leader appends a command and sends it to all in parallel', () => {
    const node = leader();
    acknowledge(node, 2);
    acknowledge(node, 3);
    node.core.propose(Buffer.from('x'));
    const entry = { index: 2n, term: 1n, type: 0, data: Buffer.from('x') };
    const append = { type: MessageType.MsgApp, index: 1n, logTerm: 1n, commit: 1n };
    expect(node.flush()).toMatchObject([
      { ...append, to: 2n, entries: [entry] },
      { ...append, to: 3n, entries: [entry] },
    ]);
    expect(node.status.last).toEqual({ index: 2n, term: 1n });
  });

  it('an entry is committed, applied and told of when a majority holds it', () => {
    const node = leader();
    acknowledge(node, 2);
    node.core.propose(Buffer.from('x'));
    node.flush();
    expect(node.status.commit).toBe(1n);
    const told = acknowledge(node, 2);
    expect(node.status.commit).toBe(2n);
    expect(node.applied.map(({ index }) => index)).toEqual([1n, 2n]);
    expect(told).toMatchObject([{ to: 2n, commit: 2n }]);
  });

  it.each([
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [3, 2, true],
    [5, 1, false],
    [5, 2, true],
    [5, 4, true],
  ])('of %i servers, with %i others acknowledging: committed %s', (count, others, isCommitted) => {
    const ids = Array.from({ length: count - 1 }, (_, at) => at + 2);
    const node = leader({ others: ids });
    for (const from of ids.slice(0, others)) acknowledge(node, from);
    expect(node.status.commit).toBe(isCommitted ? 1n : 0n);
  });

  it('a committing leader also commits all that precedes, of former leaders too', () => {
    const node = leader({ term: 3, terms: [1, 2, 3] });
    acknowledge(node, 2);
    expect(node.status.commit).toBe(4n);
    expect(node.applied.map(({ index }) => index)).toEqual([1n, 2n, 3n, 4n]);
  });

  it.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [9, 2],
  ])(
    'a follower applies what the leader says is committed (%i), as far as it goes',
    (commit, applied) => {
      const node = follower();
      node.receive(MessageType.MsgApp, 2, 1, {
        entries: entriesOf([1, 1]),
        commit: BigInt(commit),
      });
      expect(node.applied.map(({ index }) => Number(index))).toEqual([1, 2].slice(0, applied));
    },
  );

  it('a follower does not commit beyond what this message showed to agree', () => {
    const node = follower({ term: 1, terms: [1, 1, 1] });
    node.receive(MessageType.MsgApp, 2, 2, { index: 1n, logTerm: 1n, commit: 3n });
    expect(node.status.commit).toBe(1n);
  });

  it.each([
    [0, 0, false],
    [1, 1, false],
    [2, 2, false],
    [1, 2, true],
    [2, 1, true],
    [3, 3, true],
  ])(
    'a follower checks the entry before: %i of term %i is refused: %s',
    (index, logTerm, refused) => {
      const node = follower({ term: 2, terms: [1, 2] });
      const fields = { index: BigInt(index), logTerm: BigInt(logTerm) };
      const [answer] = node.receive(MessageType.MsgApp, 2, 2, fields);
      expect(answer).toMatchObject({ reject: refused, index: BigInt(index) });
    },
  );

  it('what is acknowledged is committed at least', () => {
    const node = follower({ term: 2, terms: [1, 2], commit: 1 });
    const [answer] = node.receive(MessageType.MsgApp, 2, 2, { index: 0n, logTerm: 0n });
    expect(answer).toMatchObject({ reject: false, index: 1n });
  });

  it.each([
    [2, 2, [3], [1, 2, 3]],
    [1, 1, [3, 4], [1, 3, 4]],
    [0, 0, [1], [1, 2]],
    [0, 0, [3], [3]],
    [2, 2, [], [1, 2]],
    [0, 0, [1, 2, 2], [1, 2, 2]],
  ])(
    'a conflicting entry and all that follow are replaced: after %i/%i come %j',
    (index, logTerm, terms, result) => {
      const node = follower({ term: 4, terms: [1, 2] });
      const entries = entriesOf(terms, index + 1);
      node.receive(MessageType.MsgApp, 2, 4, {
        index: BigInt(index),
        logTerm: BigInt(logTerm),
        entries,
      });
      expect(node.disk.entries.map(({ term }) => Number(term))).toEqual(result);
    },
  );

  it.each([
    ['a', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', [1, 1, 1, 4]],
    ['c', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e', [1, 1, 1, 4, 4, 4, 4]],
    ['f', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('figure 7 (%s): the leader makes the follower log like its own', (_, terms) => {
    const cluster = new TestCluster({ random: new SimRandom(1), voters: [1n, 2n, 3n] });
    const disk = (own: readonly number[]) => ({
      ...emptyDisk([1n, 2n, 3n]),
      hardState: { term: 7n, vote: 0n, commit: 0n },
      entries: entriesOf(own),
    });
    const own = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    cluster.add(1n, disk(own));
    cluster.add(2n, disk(terms));
    // 3 has nothing: it may vote for anybody.
    cluster.campaign(1n);
    cluster.tick(2, [1n]);
    const expected = [...own, 8];
    expect(cluster.node(1n).core.status.role).toBe('leader');
    expect(cluster.node(2n).disk.entries.map(({ term }) => Number(term))).toEqual(expected);
  });
});

describe('5.4.1 election restriction', () => {
  it.each([
    [[1], 1],
    [[1, 2], 2],
  ])('a request for votes tells of the last entry: %j', (terms, lastTerm) => {
    const node = new Single({ term: 2, terms });
    const requests = node.tick(ELECTION_TICKS_MAX);
    const request = { index: BigInt(terms.length), logTerm: BigInt(lastTerm), term: 3n };
    expect(requests).toMatchObject([request, request]);
  });

  it.each([
    [[1], 1, 1, true],
    [[1], 1, 2, true],
    [[1, 1], 1, 1, false],
    [[1], 2, 1, true],
    [[1], 2, 2, true],
    [[1, 1], 2, 1, true],
    [[2], 1, 1, false],
    [[2], 1, 2, false],
    [[2, 1], 1, 1, false],
  ])('a voter of log %j asked with term %i, index %i', (terms, logTerm, index, isGranted) => {
    const sorted = [...terms].sort((a, b) => a - b);
    const node = new Single({ term: 2, terms: sorted });
    const fields = { logTerm: BigInt(logTerm), index: BigInt(index) };
    const [answer] = node.receive(MessageType.MsgVote, 2, 3, fields);
    expect(answer).toMatchObject({ type: MessageType.MsgVoteResp, reject: !isGranted });
  });
});

describe('5.4.2 committing entries from previous terms', () => {
  it.each([
    [1, 0],
    [2, 0],
    [3, 3],
  ])(
    'an index of %i at a majority commits %i: only entries of the own term are counted',
    (index, commit) => {
      const node = leader({ term: 2, terms: [1, 2] });
      node.receive(MessageType.MsgAppResp, 2, 3, { index: BigInt(index) });
      expect(node.status.commit).toBe(BigInt(commit));
    },
  );

  /** Figure 8 up to (d): the entry of term 2 stands on a majority, and is replaced all the same. */
  const figure8 = (settings: SingleOptions['settings']) => {
    const voters = [1n, 2n, 3n, 4n, 5n];
    const cluster = new TestCluster({
      random: new SimRandom(1),
      voters,
      settings: { ...settings, appendBytesMax: 1 },
    });
    const disk = (terms: readonly number[], term: bigint) => ({
      ...emptyDisk(voters),
      hardState: { term, vote: 0n, commit: 0n },
      entries: entriesOf(terms),
    });
    cluster.add(1n, disk([1, 2], 3n));
    cluster.add(2n, disk([1], 3n));
    cluster.add(3n, disk([1], 3n));
    cluster.add(4n, disk([1], 3n));
    cluster.add(5n, disk([1, 3], 3n));
    // (c): 1 leads again and brings its entry of term 2 to a majority, but none of its own term.
    const isOwn = ({ to, entries }: Message) =>
      cluster.node(to).lastOnDisk >= 2n && entries.some(({ term }) => term === 4n);
    cluster.passes = (message) => message.to !== 5n && !isOwn(message);
    cluster.campaign(1n);
    cluster.tick(4, [1n]);
    const committed = cluster.node(1n).core.status.commit;
    // (d): 5 is elected by 3 and 4, for its last entry has a larger term than theirs.
    cluster.isolate(3n, 4n, 5n);
    cluster.campaign(5n);
    cluster.campaign(5n);
    return { cluster, committed };
  };

  it('figure 8: an entry of a former term on a majority is not committed, for it may be replaced', () => {
    const { cluster, committed } = figure8({});
    expect(committed).toBe(0n);
    expect(cluster.node(5n).core.status.role).toBe('leader');
    expect(cluster.node(3n).disk.entries[1]?.term).toBe(3n);
  });

  it('figure 8: where copies are counted, a committed entry is lost', () => {
    const faults = new Set(['commit-former-terms'] as const);
    const { cluster, committed } = figure8({ faults });
    expect(committed).toBe(2n);
    expect(cluster.node(1n).applied[1]?.term).toBe(2n);
    expect(cluster.node(5n).applied[1]?.term).toBe(3n);
  });
});

describe('5.5 follower and candidate crashes', () => {
  it('a request that comes again changes nothing', () => {
    const node = follower();
    const fields = { entries: entriesOf([1, 1]) };
    node.receive(MessageType.MsgApp, 2, 1, fields);
    const before = { ...node.status, disk: [...node.disk.entries] };
    const [answer] = node.receive(MessageType.MsgApp, 2, 1, fields);
    expect(answer).toMatchObject({ reject: false, index: 2n });
    expect({ ...node.status, disk: [...node.disk.entries] }).toEqual(before);
  });

  it('an earlier request that comes late takes nothing back', () => {
    const node = follower();
    node.receive(MessageType.MsgApp, 2, 1, { entries: entriesOf([1, 1, 1]), commit: 1n });
    node.receive(MessageType.MsgApp, 2, 1, { entries: entriesOf([1]) });
    expect(node.status.last.index).toBe(3n);
  });
});

describe('5.6 timing and availability', () => {
  it('a leader that cannot reach a majority commits nothing', () => {
    const cluster = new TestCluster({ random: new SimRandom(1), voters: [1n, 2n, 3n] });
    cluster.campaign(1n);
    cluster.isolate(1n);
    cluster.propose(1n, 'a');
    cluster.tick(50, [1n]);
    expect(textsOf(cluster.node(1n))).toEqual([]);
  });
});

describe('7 log compaction', () => {
  it('a snapshot replaces the log, and brings the voters along', () => {
    const node = follower({ term: 1, terms: [1, 1] });
    const snapshot = { index: 5n, term: 1n, voters: [1n, 2n, 3n, 4n] };
    const [answer] = node.receive(MessageType.MsgSnap, 2, 1, { snapshot });
    expect(answer).toMatchObject({ type: MessageType.MsgAppResp, reject: false, index: 5n });
    expect(node.status).toMatchObject({ last: { index: 5n, term: 1n }, commit: 5n, applied: 5n });
    expect([...node.status.voters]).toEqual([1n, 2n, 3n, 4n]);
  });

  it('a snapshot of a prefix of the log leaves what follows it', () => {
    const node = follower({ term: 1, terms: [1, 1, 1] });
    const snapshot = { index: 2n, term: 1n, voters: [1n, 2n, 3n] };
    node.receive(MessageType.MsgSnap, 2, 1, { snapshot });
    expect(node.status).toMatchObject({ last: { index: 3n, term: 1n }, commit: 2n });
    expect(node.disk.snapshot.index).toBe(0n);
  });

  it('an old snapshot is ignored', () => {
    const node = follower({ term: 1, terms: [1, 1, 1], commit: 3 });
    const snapshot = { index: 2n, term: 1n, voters: [1n] };
    const [answer] = node.receive(MessageType.MsgSnap, 2, 1, { snapshot });
    expect(answer).toMatchObject({ index: 3n });
    expect([...node.status.voters]).toEqual([1n, 2n, 3n]);
  });

  it('a snapshot is taken by one that is not among its voters', () => {
    const node = follower();
    const snapshot = { index: 5n, term: 1n, voters: [2n, 3n] };
    const [answer] = node.receive(MessageType.MsgSnap, 2, 1, { snapshot });
    expect(answer).toMatchObject({ index: 5n });
    expect(node.tick(50)).toEqual([]);
  });

  it('an acknowledgement waits until the snapshot is durable', () => {
    const node = follower();
    const snapshot = { index: 5n, term: 1n, voters: [1n, 2n, 3n] };
    const message = { type: MessageType.MsgSnap, from: 2n, to: 1n, term: 1n, snapshot };
    node.core.step({ ...node.receive(MessageType.MsgHeartbeat, 2, 1)[0]!, ...message });
    const effects = node.core.takeEffects()!;
    expect(effects).toMatchObject({ snapshot, messages: [], entries: [] });
    expect(effects.messagesWhenDurable).toMatchObject([{ index: 5n }]);
  });
});

describe('8 client interaction', () => {
  it('a leader begins its term with an entry without content, and is not ready before it is applied', () => {
    const node = leader({ term: 1, terms: [1, 1] });
    expect(node.status).toMatchObject({
      last: { index: 3n, term: 2n },
      isReady: false,
      commit: 0n,
    });
    expect(() => node.core.propose(Buffer.from('x'))).toThrow(/not caught up/);
    acknowledge(node, 2);
    expect(node.status).toMatchObject({ isReady: true, applied: 3n });
  });

  it('a read is answered only after a majority was heard of', () => {
    const node = leader();
    acknowledge(node, 2);
    node.core.requestRead(Buffer.from('r'));
    const [beat] = node.flush();
    expect(node.reads).toEqual([]);
    node.receive(MessageType.MsgHeartbeatResp, 2, 1, { context: beat!.context });
    expect(node.reads).toEqual([{ context: Buffer.from('r'), index: 1n }]);
  });

  it('an answer to an earlier heartbeat confirms no read', () => {
    const node = leader();
    acknowledge(node, 2);
    node.core.requestRead(Buffer.from('r'));
    node.flush();
    node.receive(MessageType.MsgHeartbeatResp, 2, 1);
    node.receive(MessageType.MsgHeartbeatResp, 3, 1, { context: new Uint8Array(8) });
    expect(node.reads).toEqual([]);
  });
});
