import { Code, RpcError, SimClock } from '@skep/platform';
import { notLeader, type RaftStatus } from '@skep/raft';
import { NotSentError } from '@skep/rpc';
import { describe, expect, it } from 'vitest';
import { ANSWER_GRACE_MS, LEADER_WAIT_MS, QUORUM_WAIT_MS } from '../limits.js';
import { LeaderFinder } from './leader-finder.js';
import type { MoveSignals } from './move-watch.js';

type Answer = (signals: MoveSignals) => Promise<string>;

const whenAborted = (signal: AbortSignal, error: Error) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(error)));

const unreachable: Answer = () => Promise.reject(new NotSentError('connection refused'));
const canceled = new RpcError(Code.CANCELED, 'context canceled');

/** Managers by name, each with how it answers, and a request to whoever leads. */
class Swarm {
  readonly clock = new SimClock();
  readonly asked: string[] = [];
  answers: Record<string, Answer> = {};
  /** Managers that are reached, of a, b and c. */
  reached = ['a', 'b'];
  #leader: string | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #finder = new LeaderFinder<string>({
    clock: this.clock,
    find: () => this.#leader,
    status: () =>
      ({
        members: ['a', 'b', 'c'].map((id) => ({ isReachable: this.reached.includes(id) })),
      }) as never as RaftStatus,
    onChange: (listener) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    },
  });

  lead(leader: string | undefined): void {
    this.#leader = leader;
    for (const listener of [...this.#listeners]) listener();
  }

  /** What comes of a request; undefined while it is under way. */
  request(kind: 'read' | 'write'): { outcome: string | RpcError | undefined } {
    const request: { outcome: string | RpcError | undefined } = { outcome: undefined };
    const settle = (outcome: string | RpcError) => {
      request.outcome = outcome;
    };
    this.#finder
      .call(kind === 'read', (to, signals) => {
        this.asked.push(to);
        return this.answers[to]!(signals());
      })
      .then(settle, settle);
    return request;
  }
}

describe('a request', () => {
  it('is made again to the same leader as long as nothing could be sent', async () => {
    const swarm = new Swarm();
    swarm.answers = { a: unreachable };
    swarm.lead('a');
    const write = swarm.request('write');
    await swarm.clock.advance(1_000);
    expect(write.outcome).toBeUndefined();
    swarm.answers = { a: async () => 'answered' };
    await swarm.clock.advance(100);
    expect(write.outcome).toBe('answered');
  });

  it('that nothing was sent of goes at once to whoever leads then', async () => {
    const swarm = new Swarm();
    swarm.answers = {
      a: ({ unsentSignal }) => whenAborted(unsentSignal, new NotSentError('given up')),
      b: async () => 'answered',
    };
    swarm.lead('a');
    const write = swarm.request('write');
    await swarm.clock.advance(1_000);
    swarm.lead('b');
    await swarm.clock.advance(0);
    expect(write.outcome).toBe('answered');
  });

  it('is made again where nobody leads yet, or any more', async () => {
    const swarm = new Swarm();
    swarm.answers = { a: () => Promise.reject(notLeader()), b: async () => 'answered' };
    swarm.lead('a');
    const write = swarm.request('write');
    await swarm.clock.advance(100);
    swarm.lead('b');
    await swarm.clock.advance(0);
    expect(write.outcome).toBe('answered');
  });

  it('to write that was sent has an unknown outcome a while after another leads', async () => {
    const swarm = new Swarm();
    swarm.answers = { a: ({ signal }) => whenAborted(signal, canceled) };
    swarm.lead('a');
    const write = swarm.request('write');
    swarm.lead(undefined);
    await swarm.clock.advance(LEADER_WAIT_MS - 1);
    swarm.lead('b');
    await swarm.clock.advance(ANSWER_GRACE_MS - 1);
    expect(write.outcome).toBeUndefined();
    await swarm.clock.advance(1);
    expect((write.outcome as RpcError).message).toContain('the outcome is unknown');
    expect(swarm.asked).toEqual(['a']);
  });

  it('to write that was sent does not wait for a swarm that has lost its leader', async () => {
    const swarm = new Swarm();
    swarm.answers = { a: ({ signal }) => whenAborted(signal, canceled) };
    swarm.lead('a');
    const write = swarm.request('write');
    swarm.lead(undefined);
    await swarm.clock.advance(LEADER_WAIT_MS - 1);
    expect(write.outcome).toBeUndefined();
    await swarm.clock.advance(1);
    expect((write.outcome as RpcError).message).toBe(
      'the leader was lost before it answered; the outcome is unknown (2 of 3 managers reachable, 2 needed)',
    );
  });

  it('to write that was sent waits on when the same leader is known again', async () => {
    const swarm = new Swarm();
    const late = swarm.clock.sleep(2 * LEADER_WAIT_MS).then(() => 'answered');
    swarm.answers = {
      a: ({ signal }) => Promise.race([late, whenAborted(signal, canceled)]),
    };
    swarm.lead('a');
    const write = swarm.request('write');
    swarm.lead(undefined);
    await swarm.clock.advance(LEADER_WAIT_MS - 1);
    swarm.lead('a');
    await swarm.clock.advance(LEADER_WAIT_MS + 1);
    expect(write.outcome).toBe('answered');
  });

  it('to read is refused in words when the leader is lost', async () => {
    const swarm = new Swarm();
    swarm.answers = { a: ({ signal }) => whenAborted(signal, canceled) };
    swarm.lead('a');
    const read = swarm.request('read');
    await swarm.clock.advance(1_000);
    swarm.lead(undefined);
    await swarm.clock.advance(LEADER_WAIT_MS);
    expect((read.outcome as RpcError).message).toMatch(/\(2 of 3 managers reachable, 2 needed\)$/);
  });

  it('to read is made again at once when another leads', async () => {
    const swarm = new Swarm();
    swarm.answers = {
      a: ({ signal }) => whenAborted(signal, canceled),
      b: async () => 'answered',
    };
    swarm.lead('a');
    const read = swarm.request('read');
    await swarm.clock.advance(1_000);
    swarm.lead('b');
    await swarm.clock.advance(0);
    expect(read.outcome).toBe('answered');
  });

  it('that the leader refuses is refused', async () => {
    const swarm = new Swarm();
    const refusal = new RpcError(Code.ALREADY_EXISTS, 'name conflicts');
    swarm.answers = { a: () => Promise.reject(refusal) };
    swarm.lead('a');
    const write = swarm.request('write');
    await swarm.clock.advance(0);
    expect(write.outcome).toBe(refusal);
  });

  it('waits for a leader; refused at once when there has been none for long', async () => {
    const swarm = new Swarm();
    const first = swarm.request('write');
    await swarm.clock.advance(LEADER_WAIT_MS - 1);
    expect(first.outcome).toBeUndefined();
    await swarm.clock.advance(1);
    expect((first.outcome as RpcError).message).toMatch(/\(2 of 3 managers reachable, 2 needed\)$/);
    const second = swarm.request('write');
    await swarm.clock.advance(0);
    expect((second.outcome as RpcError).code).toBe(Code.UNKNOWN);
  });

  it('is refused soon where too few managers are left to elect one', async () => {
    const swarm = new Swarm();
    swarm.reached = ['a'];
    const write = swarm.request('write');
    await swarm.clock.advance(QUORUM_WAIT_MS - 1);
    expect(write.outcome).toBeUndefined();
    await swarm.clock.advance(1);
    expect((write.outcome as RpcError).message).toMatch(/\(1 of 3 managers reachable, 2 needed\)$/);
  });

  it('waits on where managers came back meanwhile', async () => {
    const swarm = new Swarm();
    swarm.answers = { b: async () => 'answered' };
    swarm.reached = ['a'];
    const write = swarm.request('write');
    await swarm.clock.advance(QUORUM_WAIT_MS - 1);
    swarm.reached = ['a', 'b'];
    await swarm.clock.advance(1_000);
    swarm.lead('b');
    await swarm.clock.advance(0);
    expect(write.outcome).toBe('answered');
  });
});
