import { Code, SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { NodeSpec_Availability } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeSwarm } from '../identity/testing/fake-swarm.js';
import { Membership } from './membership.js';

const ADDRESS = '10.0.0.1:2377';

describe('joining', () => {
  let clock: SimClock;
  let swarm: FakeSwarm;
  let membership: Membership;

  beforeEach(() => {
    clock = new SimClock();
    const random = new SimRandom(1);
    swarm = new FakeSwarm(clock, random);
    const log = silentLogger;
    const unused = {} as never;
    membership = new Membership({
      ...{ clock, random, log, disk: new SimDisk(), directory: '/swarm' },
      executor: unused,
      doors: () => ({ dialer: swarm.dialer(), host: unused, external: unused }),
      isOwnHost: () => false,
      onFatal: (error) => {
        throw error;
      },
    });
  });

  function join(signal = new AbortController().signal): Promise<unknown> {
    const request = {
      listenAddress: '0.0.0.0:2377',
      advertiseAddress: '',
      dataPathAddress: '',
      remoteAddresses: [ADDRESS],
      joinToken: swarm.tokens.worker,
      availability: NodeSpec_Availability.ACTIVE,
    };
    return membership.join(request, signal).catch((error: unknown) => error);
  }

  it('goes on when nobody waits for it any more, and says what keeps it', async () => {
    swarm.down.add(ADDRESS);
    const late = new AbortController();
    const joining = join(late.signal);
    await clock.advance(20_000);
    late.abort(new Error('late'));
    expect(await joining).toMatchObject({ message: 'late' });
    expect(membership.state).toBe('pending');
    expect(membership.error).toBe(`connect ECONNREFUSED ${ADDRESS}`);
    await membership.leave();
  });

  it('has failed when the node leaves meanwhile', async () => {
    swarm.down.add(ADDRESS);
    const joining = join();
    await clock.advance(5_000);
    const leaving = membership.leave();
    await clock.advance(1);
    await leaving;
    expect(await joining).toMatchObject({
      code: Code.CANCELED,
      message: 'the node left the swarm meanwhile',
    });
    expect([membership.state, clock.pendingTimers]).toEqual(['inactive', 0]);
  });
});
