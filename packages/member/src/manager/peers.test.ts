import { Code, RpcError, SimClock, SimRandom } from '@skep/platform';
import { blankMessage, type Envelope, type RaftNode, type RaftStatus } from '@skep/raft';
import { type BoundService, SimNetwork } from '@skep/rpc';
import { MessageType } from '@skep/wire/raftpb';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeSwarm } from '../identity/testing/fake-swarm.js';
import { LANE_ANSWER_EVERY, LANE_WINDOW_MESSAGES, LONG_CALL_LIFE_MS } from '../limits.js';
import { raftPeerClient } from './peers.js';
import { peersService, raftService } from './services/raft-service.js';
import { noting } from './testing/noting.js';

const TO = { raftId: 2n, nodeId: 'n2', address: '10.0.0.2:2377' };
const TIMEOUT_MS = 2_000;
const STEP_MS = 10;

describe("Raft's messages to a peer", () => {
  let clock: SimClock;
  let network: SimNetwork;
  let swarm: FakeSwarm;
  let received: bigint[];
  let failure: RpcError | undefined;
  let holding: Promise<void> | undefined;
  let calls: string[];
  let client: ReturnType<typeof raftPeerClient>;

  const raft: Pick<RaftNode, 'receive' | 'status'> = {
    status: { members: [] } as unknown as RaftStatus,
    async receive({ message }: Envelope) {
      await holding;
      if (failure) throw failure;
      received.push(message.index);
    },
  };

  const identity = () => {
    const { credentials, rootPem } = swarm.member('manager');
    return { current: () => ({ ...credentials, rootPem }), onChange: () => () => {} };
  };

  const serve = (...services: BoundService[]) => {
    const onFatal = (error: Error) => {
      throw error;
    };
    const host = network.host('10.0.0.2').server({ identity: identity(), clock, onFatal });
    const { clusterId } = swarm;
    const bound = services.map((service) => noting(service, calls));
    return host.serve({ address: TO.address, clusterId, services: bound, isRefused: () => false });
  };

  const outcomeOf = async (promise: Promise<void>) => {
    let outcome: unknown = 'pending';
    promise.then(
      () => {
        outcome = 'taken';
      },
      (error: unknown) => {
        outcome = error;
      },
    );
    for (let passedMs = 0; outcome === 'pending' && passedMs < 10_000; passedMs += STEP_MS) {
      await clock.advance(STEP_MS);
    }
    return outcome;
  };

  const envelope = (index: bigint, snapshotData?: Uint8Array): Envelope => {
    const type = snapshotData ? MessageType.MsgSnap : MessageType.MsgApp;
    const snapshot = snapshotData && { index, term: 1n, voters: [1n, 2n] };
    const message = blankMessage({ type, to: 2n, from: 1n, term: 1n, index, snapshot });
    return { message, snapshotData };
  };

  const send = (index: bigint, snapshotData?: Uint8Array) =>
    outcomeOf(client.sendMessage(TO, envelope(index, snapshotData), TIMEOUT_MS));

  beforeEach(() => {
    clock = new SimClock();
    const random = new SimRandom(5);
    network = new SimNetwork({ clock, random });
    swarm = new FakeSwarm(clock, random);
    received = [];
    failure = undefined;
    holding = undefined;
    calls = [];
    const dialer = network.host('10.0.0.1').dialer({ identity: identity(), clock, random });
    client = raftPeerClient(dialer, clock);
  });

  it('go over one call once the first was taken; snapshots go by calls of their own', async () => {
    await serve(raftService(raft), peersService(raft));
    for (const index of [1n, 2n, 3n, 4n]) {
      expect(await send(index)).toBe('taken');
      await clock.advance(100);
    }
    expect(await send(5n, Buffer.from('contents'))).toBe('taken');
    expect(received).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(calls).toEqual(['streamRaftMessage', 'exchange', 'streamRaftMessage']);
  });

  it('go by calls to a peer that knows nothing else, which is asked once', async () => {
    await serve(raftService(raft));
    for (const index of [1n, 2n, 3n]) {
      expect(await send(index)).toBe('taken');
      await clock.advance(100);
    }
    expect(received).toEqual([1n, 2n, 3n]);
    expect(calls).toEqual(['streamRaftMessage', 'streamRaftMessage', 'streamRaftMessage']);
  });

  it('are refused with the text of the peer, and go on after it', async () => {
    await serve(raftService(raft), peersService(raft));
    await send(1n);
    await clock.advance(100);
    failure = new RpcError(Code.NOT_FOUND, 'removed');
    await send(2n); // under way: its fate shows with the next
    await clock.advance(100);
    expect(await send(3n)).toMatchObject({ code: Code.NOT_FOUND, message: 'removed' });
    failure = undefined;
    expect(await send(4n)).toBe('taken');
    expect(received).toEqual([1n, 4n]);
  });

  it('are answered some at a time, and held back when none are', async () => {
    await serve(raftService(raft), peersService(raft));
    await send(1n);
    await clock.advance(100);
    let takes = () => {};
    holding = new Promise((resolve) => {
      takes = resolve;
    });
    const sent = Array.from({ length: LANE_WINDOW_MESSAGES + 4 }, (_, at) => BigInt(at + 2));
    let count = 0;
    const all = (async () => {
      for (const index of sent) {
        await client.sendMessage(TO, envelope(index), TIMEOUT_MS);
        count++;
      }
    })();
    await clock.advance(TIMEOUT_MS - 1);
    expect(count).toBe(LANE_WINDOW_MESSAGES - 1);
    takes();
    await clock.advance(100);
    await all;
    expect(received).toEqual([1n, ...sent]);
  });

  it('are given up when their time is over, and a lane is tried again once the peer is back', async () => {
    await serve(raftService(raft), peersService(raft));
    await send(1n);
    await clock.advance(100);
    network.partition(['10.0.0.1'], ['10.0.0.2']);
    const begunMs = clock.monotonic();
    for (let index = 2n; index < 2n + BigInt(LANE_ANSWER_EVERY); index++) await send(index);
    await clock.advance(TIMEOUT_MS + STEP_MS);
    expect(await send(9n)).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    expect(clock.monotonic() - begunMs).toBeLessThanOrEqual(3 * TIMEOUT_MS);
    network.heal();
    let outcome: unknown;
    for (let n = 0; outcome !== 'taken' && n < 20; n++) outcome = await send(10n);
    await clock.advance(100);
    expect(await send(11n)).toBe('taken');
    await clock.advance(100);
    expect(received.slice(-2)).toEqual([10n, 11n]);
    expect(calls.filter((name) => name === 'exchange')).toHaveLength(2);
  });

  it('are carried by a call for a limited time, after which its caller is checked anew', async () => {
    await serve(raftService(raft), peersService(raft));
    await send(1n);
    await clock.advance(100);
    await send(2n);
    await clock.advance(LONG_CALL_LIFE_MS);
    expect(await send(3n)).toBe('taken');
    await clock.advance(100);
    expect(await send(4n)).toBe('taken');
    expect(received).toEqual([1n, 2n, 3n, 4n]);
    const [one, lane] = ['streamRaftMessage', 'exchange'];
    expect(calls).toEqual([one, lane, one, lane]);
  });
});
