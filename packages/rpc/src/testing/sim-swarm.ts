import { SimClock, SimRandom } from '@skep/platform';
import type { BoundService, Channel, DialOptions, Listener } from '../contract.js';
import { SimNetwork } from '../sim/network.js';
import { CLUSTER_ID, TestAuthority, TestIdentity } from './identities.js';

export const MANAGER_IP = '10.0.0.1';
export const WORKER_IP = '10.0.0.2';
export const PORT = 2377;
const MANAGER_ADDRESS = `${MANAGER_IP}:${PORT}`;

const clock = new SimClock();
const authority = new TestAuthority(CLUSTER_ID, clock);
const managerIdentity = authority.issue('manager-1', 'manager');
const workerIdentity = authority.issue('worker-1', 'worker');

/** A manager and a worker on a simulated network. */
export class SimSwarm {
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly network: SimNetwork;
  readonly authority = authority;
  readonly manager = managerIdentity;
  readonly worker = workerIdentity;

  constructor(seed = 1) {
    this.random = new SimRandom(seed);
    this.network = new SimNetwork({ clock: this.clock, random: this.random });
  }

  /** Serves as the manager, which has a new process therefore. */
  serve(services: BoundService[], identity = new TestIdentity(this.manager)): Promise<Listener> {
    const { clock } = this;
    const onFatal = (error: Error) => {
      throw error;
    };
    const host = this.network.host(MANAGER_IP).server({ identity, clock, onFatal });
    const isRefused = () => false;
    return host.serve({ address: MANAGER_ADDRESS, services, clusterId: CLUSTER_ID, isRefused });
  }

  /** The worker's channel to the manager. */
  dial(
    options: DialOptions = { serverName: 'swarm-manager' },
    identity = new TestIdentity(this.worker),
  ): Channel {
    const { clock, random } = this;
    const dialer = this.network.host(WORKER_IP).dialer({ identity, clock, random });
    return dialer.dial(MANAGER_ADDRESS, options);
  }
}
