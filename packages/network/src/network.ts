import { join } from 'node:path';
import type { ContainerNetworking } from '@skep/containers';
import type { Clock, Disk, Logger, Processes, Random } from '@skep/platform';
import { AddressAllocator } from './address/allocator.js';
import { formatAddress, subnetOf } from './address/ipv4.js';
import { type AddressPool, LOCAL_POOLS } from './address/pool.js';
import { NameService } from './dns/service/name-service.js';
import type { NameSockets } from './dns/sockets/contract.js';
import { assembleEncryption, type EncryptedEnd } from './encryption/assemble.js';
import { egressMtuBytes } from './host/bridges.js';
import { hostWarnings, readLegacyTables } from './host/warnings.js';
import { HOST, type NetKernel } from './kernel/contract.js';
import { LocalNetworks } from './local/local-networks.js';
import { loadLocalState } from './local/state.js';
import { Names } from './names.js';
import type { OverlayPlaces } from './overlay/contract.js';
import type { OverlaySummary } from './overlay/list.js';
import { Overlays } from './overlay/overlays.js';
import type { DataPath } from './overlay/plan.js';
import { PortBook } from './ports/book.js';
import type { PortHolder } from './ports/holder.js';
import { DatagramAnswers } from './publish/datagram-answers.js';
import { Mesh, type MeshCounters } from './publish/mesh.js';
import { Restorer } from './restore.js';
import type { SandboxReader } from './sandbox/contract.js';
import { SandboxReaders } from './sandbox/readers.js';
import { SandboxRegistry } from './sandbox/registry.js';
import { Sandboxes } from './sandbox/sandboxes.js';
import { SwarmTraffic } from './stopping/traffic.js';
import { Tables } from './tables/tables.js';
import { VipBalancer } from './vip/balancer.js';

export interface NetworkParts {
  kernel: NetKernel;
  holder: PortHolder;
  /** Of the name server in each container. */
  nameSockets: NameSockets;
  disk: Disk;
  processes: Processes;
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
  localNetworks: LocalNetworks;
  /** What stands in the overlay networks of this node, to be filled by whoever knows. */
  tables: Tables;
  overlays: NodeOverlays;
  /** This node's end of encrypted tunnels, as others must know it; undefined: it cannot encrypt. */
  wireguard: EncryptedEnd['publicEnd'];
  /** Of the routing mesh, since the start. */
  readonly meshCounters: Readonly<MeshCounters>;
  /** Leads traffic to this node's tasks, and away; through whom it announces them is said later. */
  traffic: SwarmTraffic;
  /**
   * Somebody who serves containers inside their namespaces. To be called before
   * `networking.restore`.
   */
  serveContainers(reader: SandboxReader): void;
  /** What on this host stands in the way, in sentences for `docker info`. */
  warnings(): string[];
  /**
   * Ends. The kernel's state stays, so that containers live on; with `removeAll`, everything of
   * ours is removed (no container may live then).
   */
  close(options?: { removeAll?: boolean }): Promise<void>;
}

/** The overlay networks on this node. */
export interface NodeOverlays extends OverlayPlaces {
  /** How this node's tunnels reach other nodes. No network is made before it is known. */
  configure(dataPath: DataPath): Promise<void>;
  /** In the order of their ids. */
  list(): OverlaySummary[];
  /** Things put right since the start that somebody else had changed in the kernel. */
  readonly repairs: number;
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
  const { kernel, holder, random, logger } = parts;
  const names = new Names({ prefix: settings.namePrefix ?? 'skep', execRoot: settings.execRoot });
  const host = await kernel.inspect(HOST);
  const pools = settings.addressPools ?? LOCAL_POOLS;
  const directory = join(settings.dataRoot, 'network');
  const state = await loadLocalState({ ...parts, directory, pools, names, host });
  const mtuBytes = egressMtuBytes(host);
  const bridgeFilter = (await kernel.readSysctl(HOST, BRIDGE_FILTER)) === '1';
  const registry = new SandboxRegistry();
  const tables = new Tables();
  const overlays = new Overlays({ ...parts, names, tables, registry });
  const readers = new SandboxReaders(logger);
  const book = new PortBook({ holder, random });
  const { bridge, egress } = hostBridges(names, state.subnets);
  const addresses = linkAddresses(state.subnets.link);
  const mesh = new Mesh({
    ...parts,
    names,
    addresses,
    mtuBytes,
    places: overlays,
    bridgeSubnets: { bridge: state.subnets.bridge, gateway: state.subnets.gateway },
  });
  let found: string[] = [];
  const lookAround = async () => {
    found = await findWarnings(kernel, state.subnets, names);
    for (const warning of found) logger.warn({}, warning);
  };
  const sandboxes: Sandboxes = new Sandboxes({
    kernel,
    names,
    random,
    clock: parts.clock,
    logger,
    registry,
    readers,
    book,
    networks: state.networks,
    bridgeAddresses: bridge.addresses,
    egressAddresses: egress.addresses,
    mtuBytes,
    overlays,
    bridgeFilter,
    restore: async (known) => {
      await restorer.restore(known);
      await lookAround();
    },
  });
  overlays.addListener(sandboxes);
  const encryption = await assembleEncryption({
    ...parts,
    names,
    tables,
    overlays,
    directory,
    mtuBytes,
  });
  tables.addReader(overlays);
  tables.addReader(mesh);
  readers.add(new DatagramAnswers({ kernel, table: names.answerTable }));
  const inside = serveInside(parts, { names, readers, tables });
  const namespaceOf = (id: string) => registry.get(id)?.state.netnsPath || undefined;
  const restorer = new Restorer({
    kernel,
    logger,
    names,
    registry,
    book,
    mesh,
    overlays,
    bridge,
    egress,
    subnets: state.subnets,
    mtuBytes,
    context: () => sandboxes.interfaceContext(),
  });
  return {
    networking: sandboxes,
    wireguard: encryption.publicEnd,
    meshCounters: mesh.counters,
    localNetworks: new LocalNetworks({
      state,
      bridge: { link: names.bridge, gateway: bridge.addresses.gateway, mtuBytes },
      registry,
    }),
    tables,
    overlays,
    traffic: new SwarmTraffic({ kernel, logger, clock: parts.clock, namespaceOf }),
    serveContainers: (reader) => readers.add(reader),
    warnings: () => [
      ...found,
      ...overlays.warnings(),
      ...encryption.warnings(),
      ...mesh.warnings(),
    ],
    close: async ({ removeAll = false } = {}) => {
      overlays.close();
      encryption.close();
      inside.close();
      if (removeAll) await restorer.removeAll();
      mesh.close();
      book.releaseAll();
      await kernel.close();
    },
  };
}

/** What serves containers in their own namespaces: virtual IPs, and names. */
function serveInside(
  parts: NetworkParts,
  { names, readers, tables }: { names: Names; readers: SandboxReaders; tables: Tables },
): { close(): void } {
  const vips = new VipBalancer({ ...parts, table: names.table });
  readers.add(vips);
  tables.addReader(vips);
  const service = new NameService({ ...parts, sockets: parts.nameSockets, table: names.nameTable });
  readers.add(service);
  tables.addReader(service.index);
  return {
    close: () => {
      vips.close();
      service.close();
    },
  };
}

function hostBridges(names: Names, subnets: { bridge: string; gateway: string }) {
  return {
    bridge: { link: names.bridge, addresses: new AddressAllocator(subnets.bridge) },
    egress: { link: names.gatewayBridge, addresses: new AddressAllocator(subnets.gateway) },
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
