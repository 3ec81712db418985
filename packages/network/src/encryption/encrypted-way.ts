import { type Cancel, type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { HOST, type NetKernel } from '../kernel/contract.js';
import { OVERLAY_COMPARE_MS } from '../limits.js';
import type { EncryptedCarrier } from '../overlay/contract.js';
import { Serial } from '../serial.js';
import type {
  NetworkNode,
  OverlayNetwork,
  TableChange,
  TablesReader,
  TablesView,
} from '../tables/contract.js';
import { encryptionTable } from './rules.js';
import { WIREGUARD_OVERHEAD_BYTES, type WireGuard } from './wireguard.js';
import { wireGuardPeers } from './wireguard-config.js';

export interface EncryptedWayOptions {
  kernel: NetKernel;
  clock: Clock;
  logger: Logger;
  wireGuard: WireGuard;
  /** nftables table on the host of this room alone. */
  table: string;
  /** The link that encrypts. */
  link: string;
  tables: TablesView;
  vxlanPort: () => number;
  /** Whether tunnels of the network stand in this node's kernel. */
  isStanding(networkId: string): boolean;
}

/**
 * The way that datagrams of encrypted networks take between nodes. It is there while this node is on such a
 * network. Rules come before tunnels and go after them: at no moment could a datagram leave or come in clear.
 */
export class EncryptedWay implements TablesReader, EncryptedCarrier {
  readonly name = 'encrypted networks';
  readonly overheadBytes = WIREGUARD_OVERHEAD_BYTES;
  readonly #options: EncryptedWayOptions;
  readonly #serial = new Serial();
  /** Networks that were prepared, and may stand. */
  readonly #prepared = new Map<string, OverlayNetwork>();
  #unreachable: NetworkNode[] = [];
  #failure: string | undefined;
  #cancel: Cancel | undefined;

  constructor(options: EncryptedWayOptions) {
    this.#options = options;
  }

  prepare(network: OverlayNetwork): Promise<void> {
    return this.#serial.run(async () => {
      const problem = await this.#options.wireGuard.problem();
      if (problem) throw new RpcError(Code.FAILED_PRECONDITION, problem);
      this.#prepared.set(network.id, network);
      await this.#settle();
    });
  }

  async apply(changes: readonly TableChange[]): Promise<void> {
    const concerns = changes.some(({ table }) => table === 'network' || table === 'node');
    if (concerns) await this.compare();
  }

  close(): void {
    this.#cancel?.();
  }

  /** Puts rules, link and tunnels as the tables say. */
  compare(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#prepared.size === 0) return;
      try {
        await this.#settle();
      } catch (error) {
        this.#options.logger.error({ error: errorMessage(error) }, 'encrypted networks differ');
      }
    });
  }

  /** Sentences for `docker info`. */
  warnings(): string[] {
    const cannot = this.#unreachable.map(
      ({ nodeId }) =>
        `node ${nodeId} cannot take part in encrypted networks as this one does (WireGuard): ` +
        'nothing is sent to it',
    );
    return this.#failure ? [...cannot, `encrypted networks: ${this.#failure}`] : cannot;
  }

  async #settle(): Promise<void> {
    this.#cancel?.();
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
    if (this.#prepared.size === 0) return;
    this.#cancel = this.#options.clock.after(OVERLAY_COMPARE_MS, () => void this.compare());
  }

  #forgetGone(): void {
    const { isStanding, tables } = this.#options;
    for (const id of [...this.#prepared.keys()]) {
      if (!tables.network(id)?.encrypted && !isStanding(id)) this.#prepared.delete(id);
    }
  }

  async #build(): Promise<void> {
    const { kernel, link, table, tables, vxlanPort, wireGuard } = this.#options;
    const vnis = [...this.#prepared.values()].flatMap(({ subnets }) =>
      subnets.map(({ vni }) => vni).filter((vni) => vni > 0),
    );
    const layout = encryptionTable({ vnis, vxlanPort: vxlanPort(), link });
    const changes = [{ kind: 'table-replace', table, layout } as const];
    await kernel.run([{ op: 'nft', namespace: HOST, changes }]);
    const { peers, unreachable } = wireGuardPeers(tables);
    this.#unreachable = unreachable;
    await wireGuard.configure(peers);
  }

  async #takeDown(): Promise<void> {
    const { kernel, table, wireGuard } = this.#options;
    this.#unreachable = [];
    await wireGuard.remove();
    const changes = [{ kind: 'table-remove', table } as const];
    await kernel.run([{ op: 'nft', namespace: HOST, changes }], { onRefusal: 'continue' });
  }
}
