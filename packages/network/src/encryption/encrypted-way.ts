import { isDeepStrictEqual } from 'node:util';
import { type Cancel, type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { hostAddress } from '../address/host-address.js';
import type { NetKernel } from '../kernel/contract.js';
import { ENCRYPTION_LOOK_MS, OVERLAY_COMPARE_MS } from '../limits.js';
import type { EncryptedCarrier } from '../overlay/contract.js';
import type { DataPath } from '../overlay/plan.js';
import { VXLAN_PORT_DEFAULT } from '../overlay/plan.js';
import { Serial } from '../serial.js';
import type { OverlayNetwork, TableChange, TablesReader, TablesView } from '../tables/contract.js';
import type { Ipsec } from './ipsec.js';
import type { IpsecKeys } from './ipsec-keys.js';
import { KeptRules } from './kept-rules.js';
import { encryptedPeers, type IpsecPeer } from './peers.js';
import { WIREGUARD_OVERHEAD_BYTES, type WireGuard } from './wireguard.js';

/** The overlay networks of this node, as far as encryption has to know. */
export interface CarriedNetworks {
  readonly dataPath: DataPath | undefined;
  /** Undefined: no tunnels of the network stand in this node's kernel. */
  place(networkId: string): unknown;
  /** What an earlier run left, and nobody has judged yet. */
  readonly found: readonly string[];
}

export interface EncryptedWayOptions {
  kernel: NetKernel;
  clock: Clock;
  logger: Logger;
  wireGuard: WireGuard;
  /** Whether other nodes are told that this one has it. */
  hasWireGuard: boolean;
  ipsec: Ipsec;
  /** nftables table on the host of this room alone. */
  table: string;
  /** The link that encrypts. */
  link: string;
  tables: TablesView;
  networks: CarriedNetworks;
}

/**
 * The way that datagrams of encrypted networks take between nodes. It is there while this node is on such a
 * network. Rules come before tunnels and go after them: at no moment could a datagram leave or come in clear.
 */
export class EncryptedWay implements TablesReader, EncryptedCarrier {
  readonly name = 'encrypted networks';
  /** IPsec adds less, so that what fits one way fits the other. */
  readonly overheadBytes = WIREGUARD_OVERHEAD_BYTES;
  readonly #options: EncryptedWayOptions;
  readonly #rules: KeptRules;
  readonly #serial = new Serial();
  /** Networks that were prepared, and may stand. */
  readonly #prepared = new Map<string, OverlayNetwork>();
  #keys: IpsecKeys | undefined;
  /** Nodes that nothing is sent to, and why. */
  #unreached: { nodes: IpsecPeer[]; reason: string } = { nodes: [], reason: '' };
  #failure: string | undefined;
  /** Something of an earlier run, or of this one, may be in the kernel. */
  #mayStand = true;
  #cancel: Cancel | undefined;
  /** When everything is compared again, ms of the monotonic clock. */
  #compareAtMs = 0;
  #isClosed = false;

  constructor(options: EncryptedWayOptions) {
    this.#options = options;
    this.#rules = new KeptRules(options.kernel, options.table);
  }

  prepare(network: OverlayNetwork): Promise<void> {
    return this.#serial.run(async () => {
      const problem = await this.problem();
      if (problem) throw new RpcError(Code.FAILED_PRECONDITION, problem);
      this.#prepared.set(network.id, network);
      await this.#settle();
    });
  }

  /** Why this node cannot encrypt, in a sentence; undefined when it can. */
  async problem(): Promise<string | undefined> {
    const { hasWireGuard, ipsec, networks, wireGuard } = this.#options;
    if (hostAddress(networks.dataPath?.address ?? '')?.version === 6) {
      return 'the address for its tunnels is of IPv6, and only what goes by IPv4 can be encrypted';
    }
    const problem = await wireGuard.problem();
    if (hasWireGuard) return problem;
    const other = await ipsec.problem();
    return other && `${problem ?? 'WireGuard has come since this daemon started'}, and ${other}`;
  }

  async apply(changes: readonly TableChange[]): Promise<void> {
    const concerns = changes.some(({ table }) => table === 'network' || table === 'node');
    if (this.#prepared.size > 0 && concerns) await this.compare();
    else if (this.#mayStand && !this.#cancel) this.#compareLater();
  }

  /** What managers say. Until they say something, what stands is left as it is. */
  async setKeys(keys: IpsecKeys | undefined): Promise<void> {
    if (isDeepStrictEqual(keys, this.#keys)) return;
    this.#keys = keys;
    await this.compare();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  /** Takes everything down; no encrypted network may stand. */
  removeAll(): Promise<void> {
    this.close();
    return this.#serial.run(() => this.#takeDown());
  }

  /** Puts rules, link, associations and tunnels as the tables say. */
  compare(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#prepared.size === 0 && !this.#isLeft()) return this.#compareLater();
      try {
        await this.#settle();
      } catch (error) {
        this.#options.logger.error({ error: errorMessage(error) }, 'encrypted networks differ');
      }
    });
  }

  /** Sentences for `docker info`. */
  warnings(): string[] {
    const { nodes, reason } = this.#unreached;
    const cannot = nodes.map(
      ({ nodeId }) => `nothing of encrypted networks is sent to node ${nodeId}: ${reason}`,
    );
    return this.#failure ? [...cannot, `encrypted networks: ${this.#failure}`] : cannot;
  }

  /** Whether an earlier run may have left something that is of no use any more. */
  #isLeft(): boolean {
    const { networks, tables } = this.#options;
    if (!this.#mayStand || networks.found.length > 0) return false;
    return !tables.networks().some(({ encrypted }) => encrypted);
  }

  async #settle(): Promise<void> {
    try {
      this.#forgetGone();
      if (this.#prepared.size === 0) await this.#takeDown();
      else await this.#build();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = errorMessage(error);
      throw error;
    } finally {
      this.#compareLater();
    }
  }

  /** Somebody may have changed it, and networks that are gone from the tables stand for a while. */
  #compareLater(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#isClosed || (this.#prepared.size === 0 && !this.#mayStand)) return;
    this.#compareAtMs = this.#options.clock.monotonic() + OVERLAY_COMPARE_MS;
    this.#lookLater();
  }

  #lookLater(): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(ENCRYPTION_LOOK_MS, () => void this.#look());
  }

  /** Whoever flushes the host's rules, or kills what encrypts, does not think of these networks. */
  async #look(): Promise<void> {
    const { clock, logger } = this.#options;
    const isDue = clock.monotonic() >= this.#compareAtMs;
    const isLost = !isDue && this.#failure === undefined && !(await this.#isIntact());
    if (isLost) logger.warn({}, 'rules or link of encrypted networks were gone');
    if (isDue || isLost) await this.compare();
    else if (!this.#isClosed) this.#lookLater();
  }

  async #isIntact(): Promise<boolean> {
    const { hasWireGuard, wireGuard } = this.#options;
    if (this.#prepared.size === 0) return true;
    try {
      return (await this.#rules.areStanding()) && (!hasWireGuard || (await wireGuard.isThere()));
    } catch {
      return false; // whatever it is, the comparison says it
    }
  }

  #forgetGone(): void {
    const { networks, tables } = this.#options;
    for (const id of [...this.#prepared.keys()]) {
      if (!tables.network(id)?.encrypted && !networks.place(id)) this.#prepared.delete(id);
    }
  }

  async #build(): Promise<void> {
    const { hasWireGuard, ipsec, tables, wireGuard } = this.#options;
    this.#mayStand = true;
    const peers = encryptedPeers(tables, hasWireGuard);
    const sealed = await this.#sealedPeers(peers.ipsec);
    await this.#setRules(sealed.addresses);
    if (hasWireGuard) await wireGuard.configure(peers.wireGuard);
    const { setting } = sealed;
    if (setting) await ipsec.configure(setting);
  }

  /** To whom IPsec leads, and with what setting; without one, what stands is left as it is. */
  async #sealedPeers(peers: IpsecPeer[]) {
    const { ipsec, networks } = this.#options;
    const addresses = peers.map(({ tunnelAddress }) => tunnelAddress);
    const keys = this.#keys;
    const dataPath = networks.dataPath;
    if (!keys || !dataPath?.address) {
      const standing = await ipsec.reached();
      const nodes = peers.filter(({ tunnelAddress }) => !standing.has(tunnelAddress));
      this.#unreached = { nodes, reason: 'no manager has told the keys of IPsec yet' };
      return { addresses: addresses.filter((address) => standing.has(address)) };
    }
    const problem = peers.length > 0 ? await ipsec.problem() : undefined;
    this.#unreached = problem
      ? { nodes: peers, reason: `the two have no WireGuard in common, and ${problem}` }
      : { nodes: [], reason: '' };
    const reached = problem ? [] : addresses;
    const { address: localAddress, udpPort } = dataPath;
    return { addresses: reached, setting: { localAddress, udpPort, keys, peers: reached } };
  }

  async #setRules(ipsecPeers: string[]): Promise<void> {
    const { link, networks } = this.#options;
    const vnis = [...this.#prepared.values()].flatMap(({ subnets }) =>
      subnets.map(({ vni }) => vni).filter((vni) => vni > 0),
    );
    const vxlanPort = networks.dataPath?.udpPort ?? VXLAN_PORT_DEFAULT;
    await this.#rules.set({ vnis, vxlanPort, link, ipsecPeers });
  }

  async #takeDown(): Promise<void> {
    const { ipsec, wireGuard } = this.#options;
    this.#unreached = { nodes: [], reason: '' };
    await wireGuard.remove();
    await ipsec.remove();
    await this.#rules.remove();
    this.#mayStand = false;
  }
}
