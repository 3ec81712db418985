import type { SandboxRequest, TaskEndpoint } from '@skep/containers';
import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { SimNameSockets } from './dns/sockets/sockets.sim.js';
import { SimWireGuardPrograms } from './encryption/wireguard.sim.js';
import { SimKernel } from './kernel/simulated/kernel.js';
import { assembleNetwork, type Network, type NetworkSettings } from './network.js';
import { SimPortHolder } from './ports/holder.sim.js';
import { SimProbeSockets } from './probe/sockets.sim.js';
import type { OverlayNetwork, TableUpdate } from './tables/contract.js';
import { networkOf, updateOf } from './tables/objects.sim.js';

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
        nameSockets: new SimNameSockets(),
        probeSockets: new SimProbeSockets(),
        disk: this.disk,
        processes: new SimWireGuardPrograms(this.kernel),
        clock: this.clock,
        random: new SimRandom(this.#seed++),
        logger: silentLogger,
      },
    );
  }
}

/** A plain container's request. */
export function plain(containerId: string, over: Partial<SandboxRequest> = {}): SandboxRequest {
  const name = `/${containerId}`;
  const names = { hostname: '', servers: [], search: [], options: [] };
  const nothing = { endpoints: [], ports: {}, sysctls: {}, names };
  return { containerId, name, mode: 'bridge', ...nothing, ...over };
}

export const INGRESS = networkOf('ingress-network', {
  name: 'ingress',
  subnets: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1', vni: 4096 }],
  ingress: true,
  nodeAddress: '10.0.0.2/24',
});
export const NET = networkOf('net');

/** This node's end of all tunnels: an address of the machine. */
export const DATA_PATH = { address: '192.0.2.2', udpPort: 4_789 };

export function swarmUpdate(version: bigint, more: Partial<TableUpdate> = {}): TableUpdate {
  return updateOf(version, { complete: true, networks: [INGRESS, NET], ...more });
}

/** A network room whose node takes part in both networks. */
export async function bootInSwarm(machine: SimMachine): Promise<Network> {
  const network = await machine.boot();
  await network.networking.restore([]);
  await network.overlays.configure(DATA_PATH);
  await network.tables.update(swarmUpdate(1n));
  return network;
}

/** What a container is on a network with. */
export function endpointOn(
  network: OverlayNetwork,
  address: string,
  more: Partial<TaskEndpoint> = {},
): TaskEndpoint {
  const { id, name, ingress, internal, subnets } = network;
  return {
    networkId: id,
    networkName: name,
    subnet: subnets[0]?.subnet ?? '',
    gateway: subnets[0]?.gateway ?? '',
    ingress,
    internal,
    address,
    aliases: [],
    ...more,
  };
}

/** A task's request, attached to these networks. */
export function taskOf(containerId: string, ...endpoints: TaskEndpoint[]): SandboxRequest {
  return plain(containerId, { mode: 'task', endpoints });
}
