import { type Clock, RealClock, RealRandom, silentLogger } from '@skep/platform';
import type { BoundService, Listener } from '../contract.js';
import { GrpcDialer } from '../grpc/dialer.js';
import { GrpcHost } from '../grpc/host.js';
import { CLUSTER_ID, TestAuthority, TestIdentity } from './identities.js';

export interface TestServeOptions {
  address?: string;
  identity?: TestIdentity;
  /** Id of a node that was removed. */
  refused?: string;
}

/** Listeners and dialers over loopback, all closed by {@link GrpcSwarm.close}. */
export class GrpcSwarm {
  readonly authority = new TestAuthority();
  readonly manager = this.authority.issue('manager-1', 'manager');
  readonly worker = this.authority.issue('worker-1', 'worker');
  readonly #cleanups: (() => unknown)[] = [];

  dialer(identity = new TestIdentity(this.worker), clock: Clock = new RealClock()): GrpcDialer {
    const dialer = new GrpcDialer({ identity, clock, random: new RealRandom() });
    this.#cleanups.push(() => dialer.close());
    return dialer;
  }

  async serve(services: BoundService[], options: TestServeOptions = {}): Promise<Listener> {
    const host = new GrpcHost({
      identity: options.identity ?? new TestIdentity(this.manager),
      clock: new RealClock(),
      logger: silentLogger,
      onFatal: (error) => {
        throw error;
      },
    });
    const listener = await host.serve({
      address: options.address ?? '127.0.0.1:0',
      services,
      clusterId: CLUSTER_ID,
      isRefused: (nodeId) => nodeId === options.refused,
    });
    this.#cleanups.push(() => listener.close());
    return listener;
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}
