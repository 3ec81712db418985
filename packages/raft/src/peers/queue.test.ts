import { Code, RpcError, SimClock } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { describe, expect, it } from 'vitest';
import { PEER_PROBE_MS } from '../limits.js';
import { type PeerClient, REMOVED_TEXT } from './client.js';
import { blankMessage } from './codec.js';
import type { Envelope } from './contract.js';
import { PeerQueue } from './queue.js';

const PEER = { raftId: 2n, nodeId: 'b', address: '10.0.0.2:2377' };
const refused = new RpcError(Code.UNAVAILABLE, 'connection refused');

const heartbeat = (commit: bigint): Envelope => ({
  message: blankMessage({ type: MessageType.MsgHeartbeat, from: 1n, to: 2n, commit }),
  snapshotData: undefined,
});
const vote = (term: bigint): Envelope => ({
  message: blankMessage({ type: MessageType.MsgVote, from: 1n, to: 2n, term }),
  snapshotData: undefined,
});

/** A queue to a peer that a test answers for. */
class Way {
  readonly clock = new SimClock();
  readonly sent: Envelope[] = [];
  readonly told: string[] = [];
  isHealthy = false;
  checks = 0;
  #settle: ((error?: RpcError) => void) | undefined;
  tellConnection: (isUp: boolean) => void = () => {};
  readonly #client: PeerClient = {
    sendMessage: (_member, envelope) => {
      this.sent.push(envelope);
      return new Promise((resolve, reject) => {
        this.#settle = (error) => (error ? reject(error) : resolve());
      });
    },
    checkHealth: async () => {
      this.checks++;
      return this.isHealthy;
    },
    resolveAddress: () => Promise.reject(refused),
    watchConnection: (_member, listener) => {
      this.tellConnection = listener;
      return () => {};
    },
    close: () => {},
  };
  readonly queue = new PeerQueue({
    member: PEER,
    client: this.#client,
    clock: this.clock,
    events: {
      onUnreachable: () => this.told.push('unreachable'),
      onSnapshotSent: (_, delivered) => this.told.push(`snapshot ${delivered}`),
      onRemoved: () => this.told.push('removed'),
      onConnection: (_, isUp) => this.told.push(isUp ? 'up' : 'down'),
    },
  });

  /** The peer has taken the message under way, or it failed. */
  async settle(error?: RpcError): Promise<void> {
    this.#settle?.(error);
    await this.clock.advance(0);
  }
}

describe('the queue to a peer', () => {
  it('sends one message at a time, in order, and merges those that wait', async () => {
    const way = new Way();
    way.queue.push(vote(1n));
    way.queue.push(heartbeat(1n));
    way.queue.push(heartbeat(2n));
    expect(way.sent).toEqual([vote(1n)]);
    await way.settle();
    expect(way.sent).toEqual([vote(1n), heartbeat(2n)]);
    expect(way.told).toEqual(['up']);
  });

  it('drops what waits behind a message that failed, and tells of each', async () => {
    const way = new Way();
    way.queue.push(vote(1n));
    way.queue.push(vote(2n));
    await way.settle(refused);
    expect(way.sent).toHaveLength(1);
    expect(way.told).toEqual(['unreachable', 'unreachable']);
  });

  it('learns from the peer that this node was removed', async () => {
    const way = new Way();
    way.queue.push(vote(1n));
    await way.settle(new RpcError(Code.NOT_FOUND, REMOVED_TEXT));
    expect(way.told).toEqual(['unreachable', 'removed']);
  });

  it('tells at once that the connection broke', async () => {
    const way = new Way();
    way.queue.push(vote(1n));
    await way.settle();
    way.tellConnection(false);
    expect(way.told).toContain('down');
    expect(way.queue.activeSinceMs).toBeUndefined();
  });

  it('asks a peer that is gone for its health until it is there again', async () => {
    const way = new Way();
    way.queue.push(vote(1n));
    await way.settle();
    way.tellConnection(false);
    await way.clock.advance(3 * PEER_PROBE_MS);
    expect(way.checks).toBe(3);
    way.isHealthy = true;
    await way.clock.advance(10 * PEER_PROBE_MS);
    expect(way.checks).toBe(4);
    expect(way.queue.activeSinceMs).toBe(4 * PEER_PROBE_MS);
  });

  it('asks no more once it is closed', async () => {
    const way = new Way();
    expect(await way.queue.checkHealth()).toBe(false);
    way.queue.close();
    await way.clock.advance(10 * PEER_PROBE_MS);
    expect(way.checks).toBe(1);
  });
});
