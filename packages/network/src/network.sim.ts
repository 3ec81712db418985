import type { SandboxRequest } from '@skep/containers';
import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { SimKernel } from './kernel/simulated/kernel.js';
import { assembleNetwork, type Network, type NetworkSettings } from './network.js';
import { SimPortHolder } from './ports/holder.sim.js';

export const SETTINGS = { dataRoot: '/data', execRoot: '/run' };

/** A machine for tests: what outlives a daemon (kernel, disk), and what does not (held ports). */
export class SimMachine {
  readonly kernel = new SimKernel();
  readonly disk = new SimDisk();
  readonly clock = new SimClock();
  holder = new SimPortHolder();
  #seed = 1;

  constructor() {
    this.kernel.host.addLink('up0', '', 1_400);
    this.kernel.host.changeLink('up0', { up: true });
    this.kernel.host.addAddress('up0', '192.0.2.2/24');
    this.kernel.host.addRoute({ destination: 'default', gateway: '192.0.2.1' });
  }

  /** A daemon's network room, as after a start of the process. */
  async boot(settings: Partial<NetworkSettings> = {}): Promise<Network> {
    this.holder = new SimPortHolder();
    await this.disk.makeDirectory('/data');
    await this.disk.makeDirectory('/run');
    return assembleNetwork(
      { ...SETTINGS, ...settings },
      {
        kernel: this.kernel,
        holder: this.holder,
        disk: this.disk,
        clock: this.clock,
        random: new SimRandom(this.#seed++),
        logger: silentLogger,
      },
    );
  }
}

export const INGRESS = {
  networkId: 'ingress-id',
  networkName: 'ingress',
  subnet: '10.0.0.0/24',
  gateway: '10.0.0.1',
  nodeAddress: '10.0.0.2/24',
};

/** A plain container's request. */
export function plain(containerId: string, over: Partial<SandboxRequest> = {}): SandboxRequest {
  const name = `/${containerId}`;
  return { containerId, name, mode: 'bridge', endpoints: [], ports: {}, sysctls: {}, ...over };
}

/** A task's request, attached to the ingress network. */
export function taskOf(containerId: string, address: string): SandboxRequest {
  const { networkId, networkName, subnet, gateway } = INGRESS;
  const endpoint = { networkId, networkName, subnet, gateway, ingress: true, aliases: [] };
  return plain(containerId, {
    mode: 'task',
    endpoints: [{ ...endpoint, address: `${address}/24` }],
  });
}

export function published(taskId: string, address: string, publishedPort = 8080) {
  const ports = [{ protocol: 'tcp' as const, targetPort: 80, publishedPort }];
  return { serviceId: 's1', serviceName: 'web', taskId, address, ports };
}
