import type { Clock, Disk, Logger, Processes, Random } from '@skep/platform';
import type { NetKernel } from '../kernel/contract.js';
import type { Names } from '../names.js';
import type { Overlays } from '../overlay/overlays.js';
import type { Tables } from '../tables/tables.js';
import { EncryptedWay } from './encrypted-way.js';
import { Ipsec } from './ipsec.js';
import { ipsecKeys, type NetworkKey } from './ipsec-keys.js';
import { loadKeyPair } from './keys.js';
import { WIREGUARD_OVERHEAD_BYTES, WireGuard } from './wireguard.js';

/** UDP, where each node's WireGuard listens: beside gossip's port, for one more line in a firewall. */
export const WIREGUARD_PORT = 7_947;

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

/** This node's end of the ways that encrypted networks take. */
export interface EncryptedEnd {
  /** What other nodes must know of its WireGuard; undefined where it has none. */
  wireguard: { key: Uint8Array; port: number } | undefined;
  /** Whether its kernel can seal packets by IPsec. */
  hasIpsec: boolean;
  /** What a manager has told, of all kinds. None: it has told nothing, and what stands is kept. */
  setKeys(told: readonly NetworkKey[]): Promise<void>;
  warnings(): string[];
  /** What stands stays. */
  close(): void;
  /** Takes it down, once no encrypted network stands. */
  removeAll(): Promise<void>;
}

/** Lets the overlay networks carry encrypted ones, where this node can. */
export async function assembleEncryption(options: EncryptionOptions): Promise<EncryptedEnd> {
  const { directory, disk, kernel, logger, mtuBytes, names, overlays, random, tables } = options;
  const link = names.encryptedLink;
  const keys = await loadKeyPair(disk, random, directory);
  const wireGuard = new WireGuard({
    ...options,
    link,
    keys,
    port: WIREGUARD_PORT,
    mtuBytes: mtuBytes - WIREGUARD_OVERHEAD_BYTES,
  });
  const ipsec = new Ipsec(kernel);
  const problems = { wireGuard: await wireGuard.problem(), ipsec: await ipsec.problem() };
  logger.info(problems, 'what this node lacks for encrypted networks');
  const hasWireGuard = problems.wireGuard === undefined;
  const table = names.encryptionTable;
  const shared = { ...options, networks: overlays, link, table };
  const way = new EncryptedWay({ ...shared, wireGuard, hasWireGuard, ipsec });
  overlays.encryptWith(way);
  tables.addReader(way);
  return {
    wireguard: hasWireGuard ? { key: keys.publicKey, port: WIREGUARD_PORT } : undefined,
    hasIpsec: problems.ipsec === undefined,
    setKeys: (told) => way.setKeys(ipsecKeys(told)),
    warnings: () => way.warnings(),
    close: () => way.close(),
    removeAll: () => way.removeAll(),
  };
}
