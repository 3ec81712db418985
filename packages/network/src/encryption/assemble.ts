import type { Clock, Disk, Logger, Processes, Random } from '@skep/platform';
import type { NetKernel } from '../kernel/contract.js';
import type { Names } from '../names.js';
import type { Overlays } from '../overlay/overlays.js';
import type { Tables } from '../tables/tables.js';
import { EncryptedWay } from './encrypted-way.js';
import { loadKeyPair } from './keys.js';
import { VXLAN_PORT_DEFAULT, WIREGUARD_PORT } from './ports.js';
import { WIREGUARD_OVERHEAD_BYTES, WireGuard } from './wireguard.js';

export interface EncryptionOptions {
  kernel: NetKernel;
  processes: Processes;
  disk: Disk;
  random: Random;
  clock: Clock;
  logger: Logger;
  names: Names;
  tables: Tables;
  overlays: Overlays;
  /** Where this node's key is kept. */
  directory: string;
  /** Of the way to other nodes. */
  mtuBytes: number;
}

/** This node's end of the tunnels that carry encrypted networks. */
export interface EncryptedEnd {
  /** What other nodes must know of it; undefined where this node cannot encrypt. */
  publicEnd: { key: Uint8Array; port: number } | undefined;
  warnings(): string[];
  /** Tunnels stay. */
  close(): void;
}

/** Lets the overlay networks carry encrypted ones, where this node can. */
export async function assembleEncryption(options: EncryptionOptions): Promise<EncryptedEnd> {
  const { clock, directory, disk, kernel, logger, mtuBytes, names, overlays, random, tables } =
    options;
  const link = names.encryptedLink;
  const keys = await loadKeyPair(disk, random, directory);
  const wireGuard = new WireGuard({
    ...options,
    link,
    keys,
    port: WIREGUARD_PORT,
    mtuBytes: mtuBytes - WIREGUARD_OVERHEAD_BYTES,
  });
  const way = new EncryptedWay({
    kernel,
    clock,
    logger,
    wireGuard,
    table: names.encryptionTable,
    link,
    tables,
    vxlanPort: () => overlays.dataPath?.udpPort ?? VXLAN_PORT_DEFAULT,
    isStanding: (networkId) => overlays.place(networkId) !== undefined,
  });
  overlays.encryptWith(way);
  tables.addReader(way);
  const problem = await wireGuard.problem();
  if (problem) logger.info({ problem }, 'this node cannot take part in encrypted networks');
  return {
    publicEnd: problem ? undefined : { key: keys.publicKey, port: WIREGUARD_PORT },
    warnings: () => way.warnings(),
    close: () => way.close(),
  };
}
