import { join } from 'node:path';
import type { ContainerNetworking } from '@skep/containers';
import type { Clock, Disk, Logger, Random } from '@skep/platform';
import { AddressAllocator } from './address/allocator.js';
import { formatAddress, subnetOf } from './address/ipv4.js';
import { type AddressPool, LOCAL_POOLS } from './address/pool.js';
import { egressMtuBytes } from './host/bridges.js';
import { hostWarnings, readLegacyTables } from './host/warnings.js';
import { HOST, type NetKernel } from './kernel/contract.js';
import { LocalNetworks } from './local/local-networks.js';
import { loadLocalState } from './local/state.js';
import { Names } from './names.js';
import { PortBook } from './ports/book.js';
import type { PortHolder } from './ports/holder.js';
import type { ServicePublisher } from './publish/contract.js';
import { MeshPublisher } from './publish/publisher.js';
import { PublishStore } from './publish/store.js';
import { Restorer } from './restore.js';
import { SandboxRegistry } from './sandbox/registry.js';
import { Sandboxes } from './sandbox/sandboxes.js';

export interface NetworkParts {
  kernel: NetKernel;
  holder: PortHolder;
  disk: Disk;
  random: Random;
  clock: Clock;
  logger: Logger;
}

export interface NetworkSettings {
  /** Kept over reboots: what this node decided (subnets, ids of its networks). */
  dataRoot: string;
  /** Gone after a reboot, like the kernel's state: namespaces, what is published. */
  execRoot: string;
  /**
   * Starts the name of everything of ours in the kernel, 1 to 5 of `[a-z0-9]`; `skep` when absent.
   */
  namePrefix?: string;
  /** Where local networks' subnets come from; Docker's pools when absent. */
  addressPools?: readonly AddressPool[];
}

/** The network room, put together. */
export interface Network {
  networking: ContainerNetworking;
  publisher: ServicePublisher;
  localNetworks: LocalNetworks;
  /** What on this host stands in the way, in sentences for `docker info`. */
  warnings(): string[];
  /**
   * Ends. The kernel's state stays, so that containers live on; with `removeAll`, everything of
   * ours is removed (no container may live then).
   */
  close(options?: { removeAll?: boolean }): Promise<void>;
}

/** Whether bridged frames pass the rules for routed packets; absent without br_netfilter. */
const BRIDGE_FILTER = 'net.bridge.bridge-nf-call-iptables';

/**
 * Builds the room from its parts. `networking.restore` makes the kernel's side, and comes before
 * all else.
 */
export async function assembleNetwork(
  settings: NetworkSettings,
  parts: NetworkParts,
): Promise<Network> {
  const { kernel, holder, random, logger, disk } = parts;
  const names = new Names({ prefix: settings.namePrefix ?? 'skep', execRoot: settings.execRoot });
  const host = await kernel.inspect(HOST);
  const pools = settings.addressPools ?? LOCAL_POOLS;
  const directory = join(settings.dataRoot, 'network');
  const state = await loadLocalState({ ...parts, directory, pools, names, host });
  const mtuBytes = egressMtuBytes(host);
  const bridgeFilter = (await kernel.readSysctl(HOST, BRIDGE_FILTER)) === '1';
  const registry = new SandboxRegistry();
  const book = new PortBook({ holder, random });
  const bridge = { link: names.bridge, addresses: new AddressAllocator(state.subnets.bridge) };
  const egress = {
    link: names.gatewayBridge,
    addresses: new AddressAllocator(state.subnets.gateway),
  };
  const store = new PublishStore({ disk, directory: join(settings.execRoot, 'network') });
  const addresses = linkAddresses(state.subnets.link);
  const publisher = new MeshPublisher({ ...parts, names, store, addresses, mtuBytes });
  let found: string[] = [];
  const lookAround = async () => {
    found = await findWarnings(kernel, state.subnets, names);
    for (const warning of found) logger.warn({}, warning);
  };
  const sandboxes: Sandboxes = new Sandboxes({
    kernel,
    names,
    random,
    logger,
    registry,
    book,
    networks: state.networks,
    bridgeAddresses: bridge.addresses,
    egressAddresses: egress.addresses,
    mtuBytes,
    ingress: () => publisher.ingress,
    bridgeFilter,
    restore: async (known) => {
      await restorer.restore(known);
      await lookAround();
    },
  });
  const restorer = new Restorer({
    kernel,
    logger,
    names,
    registry,
    book,
    publisher,
    bridge,
    egress,
    subnets: state.subnets,
    ingressAddress: addresses.inner.slice(0, addresses.inner.indexOf('/')),
    mtuBytes,
    context: () => sandboxes.interfaceContext(),
  });
  return {
    networking: sandboxes,
    publisher,
    localNetworks: new LocalNetworks({
      state,
      bridge: { link: names.bridge, gateway: bridge.addresses.gateway, mtuBytes },
      registry,
    }),
    warnings: () => [...found, ...publisher.warnings()],
    close: async ({ removeAll = false } = {}) => {
      if (removeAll) await restorer.removeAll();
      publisher.releasePorts();
      book.releaseAll();
      await kernel.close();
    },
  };
}

/** The two usable addresses of the link's subnet. */
function linkAddresses(subnet: string): { host: string; inner: string } {
  const { network, prefixLength } = subnetOf(subnet);
  return {
    host: `${formatAddress(network + 1)}/${prefixLength}`,
    inner: `${formatAddress(network + 2)}/${prefixLength}`,
  };
}

async function findWarnings(
  kernel: NetKernel,
  subnets: { bridge: string; gateway: string; link: string },
  names: Names,
): Promise<string[]> {
  return hostWarnings({
    chains: await kernel.baseChains(HOST),
    host: await kernel.inspect(HOST),
    subnets,
    names,
    bridgeFilter: await kernel.readSysctl(HOST, BRIDGE_FILTER),
    legacyTables: await readLegacyTables(),
  });
}
