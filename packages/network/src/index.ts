import { RealClock, RealDisk, RealProcesses, RealRandom, silentLogger } from '@skep/platform';
import { RealNameSockets } from './dns/sockets/real.js';
import { claimNamespace } from './host/claim.js';
import { RealKernel } from './kernel/real/kernel.js';
import {
  assembleNetwork,
  type Network,
  type NetworkParts,
  type NetworkSettings,
} from './network.js';
import { SocketPortHolder } from './ports/holder.js';
import { RealProbeSockets } from './probe/sockets.js';

export type { AddressPool } from './address/pool.js';
export { NameService, type NameServiceOptions } from './dns/service/name-service.js';
export * from './gossip/index.js';
export { KernelError, type SecurityPolicy } from './kernel/contract.js';
export type { NetworkFilters } from './local/filters.js';
export type { LocalNetworks, NetworkContainer, NetworkResource } from './local/local-networks.js';
export {
  assembleNetwork,
  type Network,
  type NetworkParts,
  type NetworkSettings,
  type NodeOverlays,
} from './network.js';
export type * from './overlay/contract.js';
export type { OverlaySummary } from './overlay/list.js';
export { type DataPath, VXLAN_PORT_DEFAULT } from './overlay/plan.js';
export type { MeshCounters } from './publish/mesh.js';
export type * from './sandbox/contract.js';
export type * from './stopping/contract.js';
export { SwarmTraffic, type SwarmTrafficOptions } from './stopping/traffic.js';
export type * from './tables/contract.js';
export { fromUpdate } from './tables/from-update.js';
export { TablesKeeper, type TablesKeeperOptions } from './tables/keeper.js';
export { Tables } from './tables/tables.js';
export { VipBalancer, type VipBalancerOptions } from './vip/balancer.js';
export { RealKernel, RealNameSockets };

/**
 * The network room on this machine's kernel. Needs root and the library libnftables. Rejects
 * ALREADY_EXISTS when another daemon manages the same names in this network namespace.
 */
export async function createNetwork(
  options: NetworkSettings & Partial<Omit<NetworkParts, 'kernel' | 'nameSockets' | 'probeSockets'>>,
): Promise<Network> {
  const claim = await claimNamespace(options.namePrefix ?? 'skep');
  const kernel = new RealKernel();
  const clock = options.clock ?? new RealClock();
  try {
    const network = await assembleNetwork(options, {
      kernel,
      holder: options.holder ?? new SocketPortHolder(),
      disk: options.disk ?? new RealDisk(),
      processes: options.processes ?? new RealProcesses(),
      random: options.random ?? new RealRandom(),
      clock,
      nameSockets: new RealNameSockets({ opener: kernel, clock }),
      probeSockets: new RealProbeSockets(kernel),
      logger: options.logger ?? silentLogger,
    });
    const close: Network['close'] = async (how) => {
      await network.close(how);
      claim.close();
    };
    return { ...network, close };
  } catch (error) {
    await kernel.close();
    claim.close();
    throw error;
  }
}
