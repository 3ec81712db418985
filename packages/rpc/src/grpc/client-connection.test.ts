import { RealClock } from '@skep/platform';
import { afterEach, describe, expect, it } from 'vitest';
import { heartbeatService } from '../testing/calls.js';
import { GrpcSwarm } from '../testing/grpc-swarm.js';
import { ClientConnection } from './client-connection.js';

const swarm = new GrpcSwarm();
afterEach(() => swarm.close());

describe('a connection', () => {
  it('may be given up in the turn in which it opened', async () => {
    const { address } = await swarm.serve([heartbeatService()]);
    const connection = await ClientConnection.open({
      address,
      serverName: 'swarm-manager',
      rootPem: swarm.worker.rootPem,
      own: swarm.worker,
      clock: new RealClock(),
      onUnusable: () => {},
    });
    connection.destroy();
    // The session tells of its connection in a turn of its own; an error there is nobody's to
    // catch.
    await new Promise((resolve) => setImmediate(resolve));
    expect(connection.isUsable).toBe(false);
    expect(connection.isBroken).toBe(true);
  });
});
