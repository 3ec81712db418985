import { formatAddress, subnetOf } from './address/ipv4.js';
import { NameService } from './dns/service/name-service.js';
import { assembleEncryption, type EncryptedEnd, WIREGUARD_PORT } from './encryption/assemble.js';
import type { LocalState } from './local/state.js';
import type { Names } from './names.js';
import type { NetworkParts } from './network.js';
import { Overlays } from './overlay/overlays.js';
import { VXLAN_PORT_DEFAULT } from './overlay/plan.js';
import { Prober } from './probe/prober.js';
import { DatagramAnswers } from './publish/datagram-answers.js';
import { DirectPorts } from './publish/direct-ports.js';
import { Mesh } from './publish/mesh.js';
import { SandboxReaders } from './sandbox/readers.js';
import type { SandboxRegistry } from './sandbox/registry.js';
import type { Sandboxes } from './sandbox/sandboxes.js';
import { Tables } from './tables/tables.js';
import { VipBalancer } from './vip/balancer.js';

export interface SwarmSideOptions {
  names: Names;
  subnets: LocalState['subnets'];
  registry: SandboxRegistry;
  /** Where this node keeps what it decided. */
  directory: string;
  /** Of the way out of this host. */
  mtuBytes: number;
}

/** All that follows from what the swarm says of its networks. */
export interface SwarmSide {
  tables: Tables;
  overlays: Overlays;
  mesh: Mesh;
  /** Who serves containers in their own namespaces. */
  readers: SandboxReaders;
  encryption: Pick<EncryptedEnd, 'wireguard' | 'hasIpsec' | 'setKeys' | 'removeAll'>;
  /** Lets what reads the tables begin; those who have something in overlay networks hear of them first. */
  start(sandboxes: Sandboxes): void;
  warnings(): string[];
  /** UDP ports that other nodes' containers come by, while some node does not answer, or there is none. */
  unprovenPorts(): number[];
  /** Ends all timers but the mesh's. The kernel's state stays. */
  close(): void;
}

export async function assembleSwarmSide(
  parts: NetworkParts,
  options: SwarmSideOptions,
): Promise<SwarmSide> {
  const { names, registry, subnets, mtuBytes } = options;
  const tables = new Tables();
  const overlays = new Overlays({ ...parts, names, tables, registry });
  const readers = new SandboxReaders(parts.logger);
  const { bridge, gateway, link } = subnets;
  const addresses = linkAddresses(link);
  const bridgeSubnets = { bridge, gateway };
  const mesh = new Mesh({ ...parts, names, addresses, mtuBytes, places: overlays, bridgeSubnets });
  const direct = new DirectPorts({ ...parts, table: names.directTable });
  const vips = new VipBalancer({ ...parts, table: names.table });
  const service = new NameService({ ...parts, sockets: parts.nameSockets, table: names.nameTable });
  const encryption = await assembleEncryption({ ...parts, ...options, tables, overlays });
  const vxlanPort = () => overlays.dataPath?.udpPort ?? VXLAN_PORT_DEFAULT;
  const prober = new Prober({
    ...parts,
    sockets: parts.probeSockets,
    places: overlays,
    vxlanPort,
  });
  return {
    tables,
    overlays,
    mesh,
    readers,
    encryption,
    start: (sandboxes) => {
      overlays.addListener(sandboxes);
      overlays.addListener(prober);
      const ofTables = [overlays, mesh, direct, vips, service.index, prober];
      for (const reader of ofTables) tables.addReader(reader);
      readers.add(new DatagramAnswers({ kernel: parts.kernel, table: names.answerTable }));
      for (const reader of [direct, vips, service]) readers.add(reader);
    },
    warnings: () => [overlays, encryption, mesh, prober].flatMap((room) => room.warnings()),
    unprovenPorts: () =>
      overlays.list().length === 0 || prober.allAnswer ? [] : [vxlanPort(), WIREGUARD_PORT],
    close: () => {
      for (const room of [overlays, encryption, vips, service, prober]) room.close();
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
