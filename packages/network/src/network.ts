import { join } from 'node:path';
import type { ContainerNetworking } from '@skep/containers';
import type { Clock, Disk, Logger, Processes, Random } from '@skep/platform';
import { AddressAllocator } from './address/allocator.js';
import { type AddressPool, LOCAL_POOLS } from './address/pool.js';
import type { NameSockets } from './dns/sockets/contract.js';
import type { EncryptedEnd } from './encryption/assemble.js';
import { egressMtuBytes } from './host/bridges.js';
import { Passage } from './host/firewall/passage.js';
import { HostRules } from './host/rules.js';
import { inputWarnings } from './host/warnings.js';
import { HostWatch } from './host/watch.js';
import { HOST, type NetKernel } from './kernel/contract.js';
import { LocalNetworks } from './local/local-networks.js';
import { loadLocalState } from './local/state.js';
import { Names } from './names.js';
import type { OverlayPlaces } from './overlay/contract.js';
import type { OverlaySummary } from './overlay/list.js';
import type { DataPath } from './overlay/plan.js';
import { PortBook } from './ports/book.js';
import type { PortHolder } from './ports/holder.js';
import type { ProbeSockets } from './probe/sockets.js';
import type { MeshCounters } from './publish/mesh.js';
import { Restorer } from './restore.js';
import type { SandboxReader } from './sandbox/contract.js';
import { SandboxRegistry } from './sandbox/registry.js';
import { Sandboxes } from './sandbox/sandboxes.js';
import { SwarmTraffic } from './stopping/traffic.js';
import { assembleSwarmSide } from './swarm-side.js';
import type { Tables } from './tables/tables.js';

export interface NetworkParts {
  kernel: NetKernel;
  holder: PortHolder;
  /** Of the name server in each container. */
  nameSockets: NameSockets;
  /** Of the checks of the ways to other nodes. */
  probeSockets: ProbeSockets;
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
  /**
   * Whether rules of ours may be put among those of iptables and firewalld, where those would drop
   * what containers send; true when absent.
   */
  mayOpenFirewalls?: boolean;
}

/** The network room, put together. */
export interface Network {
  networking: ContainerNetworking;
  localNetworks: LocalNetworks;
  /** What stands in the overlay networks of this node, to be filled by whoever knows. */
  tables: Tables;
  overlays: NodeOverlays;
  /** This node's end of encrypted ways: what others must know of it, and what it must be told. */
  encryption: Pick<EncryptedEnd, 'wireguard' | 'hasIpsec' | 'setKeys'>;
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
  const { kernel } = parts;
  const names = new Names({ prefix: settings.namePrefix ?? 'skep', execRoot: settings.execRoot });
  const host = await kernel.inspect(HOST);
  const pools = settings.addressPools ?? LOCAL_POOLS;
  const directory = join(settings.dataRoot, 'network');
  const state = await loadLocalState({ ...parts, directory, pools, names, host });
  const mtuBytes = egressMtuBytes(host);
  const bridgeFilter = await kernel.readSysctl(HOST, BRIDGE_FILTER);
  const registry = new SandboxRegistry();
  const { subnets } = state;
  const shared = { names, registry, subnets, directory, mtuBytes };
  const swarm = await assembleSwarmSide(parts, shared);
  const { mesh, overlays, readers, tables } = swarm;
  const book = new PortBook(parts);
  const { bridge, egress } = hostBridges(names, subnets);
  const common = { ...parts, names, registry, book, mtuBytes, overlays };
  const sandboxes: Sandboxes = new Sandboxes({
    ...common,
    readers,
    networks: state.networks,
    bridgeAddresses: bridge.addresses,
    egressAddresses: egress.addresses,
    bridgeFilter: bridgeFilter === '1',
    restore: (known) => restorer.restore(known),
  });
  swarm.start(sandboxes);
  const namespaceOf = (id: string) => registry.get(id)?.state.netnsPath || undefined;
  const context = () => sandboxes.interfaceContext();
  const rules = new HostRules({ ...common, subnets });
  const passage = new Passage({ ...common, mayOpen: settings.mayOpenFirewalls ?? true });
  const surroundings = { subnets, names, bridgeFilter };
  const onFlush = () => void mesh.compareNow();
  const watch = new HostWatch({ ...common, rules, passage, surroundings, onFlush });
  const restorer = new Restorer({ ...common, mesh, rules, watch, bridge, egress, context });
  return {
    networking: sandboxes,
    encryption: swarm.encryption,
    meshCounters: mesh.counters,
    localNetworks: new LocalNetworks({
      state,
      bridge: { link: names.bridge, gateway: bridge.addresses.gateway, mtuBytes },
      registry,
    }),
    tables,
    overlays,
    traffic: new SwarmTraffic({
      ...parts,
      namespaceOf,
      hidesAnother: (protocol, port) => mesh.hidesAnother(protocol, port),
    }),
    serveContainers: (reader) => readers.add(reader),
    warnings: () => {
      const udpPorts = swarm.unprovenPorts();
      const shut = udpPorts.length > 0 ? inputWarnings({ ...watch.standing, udpPorts }) : [];
      return [...watch.warnings(), ...shut, ...swarm.warnings()];
    },
    close: async ({ removeAll = false } = {}) => {
      swarm.close();
      watch.close();
      if (removeAll) {
        await restorer.removeAll();
        await swarm.encryption.removeAll();
      }
      mesh.close();
      book.releaseAll();
      await kernel.close();
    },
  };
}

function hostBridges(names: Names, subnets: { bridge: string; gateway: string }) {
  return {
    bridge: { link: names.bridge, addresses: new AddressAllocator(subnets.bridge) },
    egress: { link: names.gatewayBridge, addresses: new AddressAllocator(subnets.gateway) },
  };
}
