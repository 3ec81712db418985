import { SimRandom } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Alive, decodeMessage, type Message } from '../../codec/messages.js';
import { NodeState } from '../../codec/stream.js';
import { BroadcastQueue } from '../broadcast-queue.js';
import { Timers } from '../timers.js';
import { Awareness } from './awareness.js';
import { Claims } from './claims.js';
import { Members } from './members.js';

/** The cases of memberlist's own tests of its states, under their names there. */

const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);

let timers: Timers;
let members: Members;
let awareness: Awareness;
let queue: BroadcastQueue;
let claims: Claims;
let events: string[];

beforeEach(() => {
  const random = new SimRandom(1);
  timers = new Timers(0);
  members = new Members(random);
  awareness = new Awareness();
  queue = new BroadcastQueue({ nodes: () => members.size, bytesMax: 1_000 });
  events = [];
  const listener = {
    onAlive: ({ node }: { node: string }) => void events.push(`alive ${node}`),
    onGone: ({ node }: { node: string }) => void events.push(`gone ${node}`),
  };
  claims = new Claims({ self: 'me', members, awareness, timers, queue, listener });
  const { kind, ...me } = aliveOf('me', 1);
  claims.begin(me);
  told();
});

function aliveOf(node: string, incarnation: number, ip = '10.0.0.1'): Alive {
  const address = { ip, port: 7946 };
  const meta = new Uint8Array();
  return { kind: 'alive', node, incarnation, address, meta, versions: VERSIONS };
}

const suspectOf = (node: string, incarnation: number, from = 'other') =>
  ({ kind: 'suspect', node, incarnation, from }) as const;
const deadOf = (node: string, incarnation: number, from = 'other') =>
  ({ kind: 'dead', node, incarnation, from }) as const;
const stateOf = (node: string) => NodeState[members.get(node)?.state ?? -1];

/** What is to be told on, each message once. */
function told(): string[] {
  const seen = new Set<string>();
  while (queue.size > 0) {
    for (const bytes of queue.take(2, 1_000, 100)) {
      const message = decodeMessage(bytes) as Extract<Message, { node: string }>;
      const incarnation = 'incarnation' in message ? message.incarnation : '';
      seen.add(`${message.kind} ${message.node} ${incarnation}`);
    }
  }
  return [...seen];
}

function advance(ms: number): void {
  for (let left = ms; left > 0; left -= 500) timers.advance(timers.nowMs + Math.min(500, left));
}

describe('AliveNode', () => {
  it('NewNode: is known, told on, and heard of', () => {
    claims.alive(aliveOf('test', 1));
    expect(stateOf('test')).toBe('ALIVE');
    expect(events).toEqual(['alive test']);
    expect(told()).toEqual(['alive test 1']);
  });

  it('SuspectNode: only a later incarnation clears a suspicion', () => {
    claims.alive(aliveOf('test', 1));
    claims.suspect(suspectOf('test', 1));
    claims.alive(aliveOf('test', 1));
    expect(stateOf('test')).toBe('SUSPECT');
    claims.alive(aliveOf('test', 2));
    expect(stateOf('test')).toBe('ALIVE');
    advance(60_000);
    expect(stateOf('test')).toBe('ALIVE');
    expect(events).toEqual(['alive test']);
  });

  it('Idempotent: the same again is not told on', () => {
    claims.alive(aliveOf('test', 1));
    told();
    claims.alive(aliveOf('test', 1));
    expect(told()).toEqual([]);
  });

  it('Conflict: of two nodes of one name the first counts, until it leaves', () => {
    claims.alive(aliveOf('test', 1));
    claims.alive(aliveOf('test', 5, '10.0.0.2'));
    expect(members.get('test')).toMatchObject({ incarnation: 1, address: { ip: '10.0.0.1' } });
    claims.dead(deadOf('test', 1, 'test'));
    claims.alive(aliveOf('test', 1, '10.0.0.2'));
    expect(members.get('test')?.address.ip).toBe('10.0.0.2');
    expect(stateOf('test')).toBe('ALIVE');
  });

  it('Refute: what is wrongly said of this node is contradicted', () => {
    claims.alive(aliveOf('me', 7));
    expect(members.get('me')?.incarnation).toBe(8);
    expect(told()).toEqual(['alive me 8']);
    claims.alive(aliveOf('me', 8));
    expect(told()).toEqual([]);
    claims.alive(aliveOf('me', 8, '10.9.9.9'));
    expect(told()).toEqual(['alive me 9']);
    expect(members.get('me')?.address.ip).toBe('10.0.0.1');
  });

  it('of another version of the protocol is not known', () => {
    for (const versions of [Uint8Array.of(3, 5, 3, 0, 0, 0), Uint8Array.of(0, 0, 0, 0, 0, 0)]) {
      claims.alive({ ...aliveOf('test', 1), versions });
    }
    expect(members.get('test')).toBeUndefined();
  });
});

describe('SuspectNode', () => {
  it('NoNode: of nobody who is known is nothing', () => {
    claims.suspect(suspectOf('test', 1));
    expect(told()).toEqual([]);
  });

  it('is dead when its time is over', () => {
    claims.alive(aliveOf('test', 1));
    claims.suspect(suspectOf('test', 1));
    expect(stateOf('test')).toBe('SUSPECT');
    advance(3_500);
    expect(stateOf('test')).toBe('SUSPECT');
    advance(1_000);
    expect(stateOf('test')).toBe('DEAD');
    expect(events).toEqual(['alive test', 'gone test']);
    expect(told()).toContain('dead test 1');
  });

  it('DoubleSuspect: a second one changes nothing', () => {
    claims.alive(aliveOf('test', 1));
    claims.suspect(suspectOf('test', 1));
    const { changedMs } = members.get('test') ?? {};
    told();
    timers.advance(100);
    claims.suspect(suspectOf('test', 1));
    expect(members.get('test')?.changedMs).toBe(changedMs);
    expect(told()).toEqual([]);
  });

  it('OldSuspect: of an earlier incarnation counts for nothing', () => {
    claims.alive(aliveOf('test', 10));
    told();
    claims.suspect(suspectOf('test', 1));
    expect(stateOf('test')).toBe('ALIVE');
    expect(told()).toEqual([]);
  });

  it('Refute: of this node is contradicted, and makes it doubt its health', () => {
    claims.suspect(suspectOf('me', 1));
    expect(stateOf('me')).toBe('ALIVE');
    expect(told()).toEqual(['alive me 2']);
    expect(awareness.score).toBe(1);
  });
});

describe('DeadNode', () => {
  it('NoNode: of nobody who is known is nothing', () => {
    claims.dead(deadOf('test', 1));
    expect(told()).toEqual([]);
    expect(events).toEqual([]);
  });

  it('Left: who says it himself has left, and may come back', () => {
    claims.alive(aliveOf('test', 1));
    claims.dead(deadOf('test', 1, 'test'));
    expect(stateOf('test')).toBe('LEFT');
    claims.alive(aliveOf('test', 1));
    expect(stateOf('test')).toBe('LEFT');
    claims.alive(aliveOf('test', 2));
    expect(stateOf('test')).toBe('ALIVE');
    expect(events).toEqual(['alive test', 'gone test', 'alive test']);
  });

  it('Double: the same again is not told on', () => {
    claims.alive(aliveOf('test', 1));
    claims.dead(deadOf('test', 1));
    told();
    claims.dead(deadOf('test', 2));
    expect(told()).toEqual([]);
    expect(events).toEqual(['alive test', 'gone test']);
  });

  it('OldDead: of an earlier incarnation counts for nothing', () => {
    claims.alive(aliveOf('test', 10));
    claims.dead(deadOf('test', 1));
    expect(stateOf('test')).toBe('ALIVE');
  });

  it('AliveReplay: an old word that it is alive does not bring it back', () => {
    claims.alive(aliveOf('test', 10));
    claims.dead(deadOf('test', 10));
    claims.alive(aliveOf('test', 10));
    expect(stateOf('test')).toBe('DEAD');
  });

  it('Refute: of this node is contradicted, unless it leaves', () => {
    claims.dead(deadOf('me', 1));
    expect(stateOf('me')).toBe('ALIVE');
    expect(told()).toEqual(['alive me 2']);
    claims.leave();
    expect(stateOf('me')).toBe('LEFT');
    expect(told()).toEqual(['dead me 2']);
    claims.alive(aliveOf('me', 9));
    expect(stateOf('me')).toBe('LEFT');
  });
});

describe('MergeState', () => {
  it('takes over what another knows, and takes nobody for dead on its word', () => {
    for (const node of ['a', 'b', 'c']) claims.alive(aliveOf(node, 1));
    const snapshotOf = (node: string, incarnation: number, state: NodeState) => {
      const { kind, ...snapshot } = aliveOf(node, incarnation);
      return { ...snapshot, state };
    };
    claims.merge([
      snapshotOf('a', 2, NodeState.ALIVE),
      snapshotOf('b', 1, NodeState.SUSPECT),
      snapshotOf('c', 1, NodeState.DEAD),
      snapshotOf('d', 1, NodeState.ALIVE),
      snapshotOf('e', 1, NodeState.LEFT),
    ]);
    expect(['a', 'b', 'c', 'd'].map(stateOf)).toEqual(['ALIVE', 'SUSPECT', 'SUSPECT', 'ALIVE']);
    expect(members.get('a')?.incarnation).toBe(2);
    expect(members.get('e')).toBeUndefined();
  });
});
