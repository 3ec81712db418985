import { RealClock, RealDisk, RealRandom, silentLogger } from '@skep/platform';
import { claimNamespace } from './host/claim.js';
import { RealKernel } from './kernel/real/kernel.js';
import {
  assembleNetwork,
  type Network,
  type NetworkParts,
  type NetworkSettings,
} from './network.js';
import { SocketPortHolder } from './ports/holder.js';

export type { AddressPool } from './address/pool.js';
export type { NetworkFilters } from './local/filters.js';
export type { LocalNetworks, NetworkContainer, NetworkResource } from './local/local-networks.js';
export {
  assembleNetwork,
  type Network,
  type NetworkParts,
  type NetworkSettings,
} from './network.js';
export type * from './publish/contract.js';

/**
 * The network room on this machine's kernel. Needs root and the library libnftables. Rejects
 * ALREADY_EXISTS when another daemon manages the same names in this network namespace.
 */
export async function createNetwork(
  options: NetworkSettings & Partial<NetworkParts>,
): Promise<Network> {
  const claim = await claimNamespace(options.namePrefix ?? 'skep');
  const kernel = options.kernel ?? new RealKernel();
  try {
    const network = await assembleNetwork(options, {
      kernel,
      holder: options.holder ?? new SocketPortHolder(),
      disk: options.disk ?? new RealDisk(),
      random: options.random ?? new RealRandom(),
      clock: options.clock ?? new RealClock(),
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
