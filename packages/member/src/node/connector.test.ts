import { create } from '@bufbuild/protobuf';
import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import type { Channel, Dialer } from '@skep/rpc';
import { WeightedPeerSchema } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Manager } from '../manager/manager.js';
import { Remotes } from '../remotes/index.js';
import { managerConnector } from './connector.js';

const SELF = { nodeId: 'self', address: '10.0.0.1:2377' };
const OTHER = { nodeId: 'other', address: '10.0.0.2:2377' };
const LEADER = { nodeId: 'leader', address: '10.0.0.3:2377' };

function peerOf({ nodeId, address }: typeof SELF) {
  return create(WeightedPeerSchema, { peer: { nodeId, addr: address }, weight: 10n });
}

describe('the manager that an agent talks to', () => {
  let dialed: { address: string; isClosed: boolean }[];
  let manager: Pick<Manager, 'otherLeader' | 'rooms'> | undefined;
  let tell: () => void;
  let connect: ReturnType<typeof managerConnector>;

  beforeEach(async () => {
    dialed = [];
    manager = undefined;
    const dialer: Dialer = {
      dial: (address) => {
        const channel = { address, isClosed: false };
        dialed.push(channel);
        return { address, close: () => void (channel.isClosed = true) } as Channel;
      },
    };
    const [disk, random] = [new SimDisk(), new SimRandom(1)];
    await disk.makeDirectory('/swarm');
    const options = { disk, directory: '/swarm', random, logger: silentLogger };
    const remotes = await Remotes.open(options);
    await remotes.update([SELF, OTHER].map(peerOf));
    connect = managerConnector({
      ...{ nodeId: SELF.nodeId, clock: new SimClock(), dialer, remotes },
      ownHost: () => '10.0.0.1',
      manager: () => manager as Manager | undefined,
      onChange: (listener) => void (tell = listener),
    });
  });

  it('is any other of a worker', async () => {
    await connect();
    tell();
    expect(dialed).toEqual([{ address: OTHER.address, isClosed: false }]);
  });

  it('is the leader of a manager that knows it', async () => {
    manager = { otherLeader: LEADER, rooms: undefined };
    await connect();
    tell();
    expect(dialed).toEqual([{ address: LEADER.address, isClosed: false }]);
  });

  it('is left for the leader as soon as that is known, or is another', async () => {
    manager = { otherLeader: undefined, rooms: undefined };
    await connect();
    tell();
    expect(dialed).toEqual([{ address: OTHER.address, isClosed: false }]);
    manager = { otherLeader: LEADER, rooms: undefined };
    tell();
    expect(dialed[0]?.isClosed).toBe(true);
    await connect();
    manager = { otherLeader: OTHER, rooms: undefined };
    tell();
    expect(dialed[1]).toEqual({ address: LEADER.address, isClosed: true });
  });

  it('is the one in the same process while that leads', async () => {
    await connect();
    manager = { otherLeader: undefined, rooms: {} as NonNullable<Manager['rooms']> };
    tell();
    await connect();
    expect(dialed).toEqual([{ address: OTHER.address, isClosed: true }]);
  });
});
