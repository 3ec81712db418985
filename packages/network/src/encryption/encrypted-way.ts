import { errorMessage, type Logger } from '@skep/platform';
import { HOST, type NetKernel } from '../kernel/contract.js';
import { Serial } from '../serial.js';
import type { NetworkNode, TableChange, TablesReader, TablesView } from '../tables/contract.js';
import { encryptionTable } from './rules.js';
import type { WireGuard } from './wireguard.js';
import { wireGuardPeers } from './wireguard-config.js';

export interface EncryptedWayOptions {
  kernel: NetKernel;
  logger: Logger;
  wireGuard: WireGuard;
  /** nftables table on the host of this room alone. */
  table: string;
  /** The link that encrypts. */
  link: string;
  vxlanPort: () => number;
  ownNodeId: () => string;
}

/**
 * The way that datagrams of encrypted networks take between nodes. It is there while this node is on such a
 * network. Rules come before the tunnels: at no moment could a datagram leave or come in clear.
 */
export class EncryptedWay implements TablesReader {
  readonly name = 'encrypted networks';
  readonly #options: EncryptedWayOptions;
  readonly #serial = new Serial();
  #inUse = false;
  #view: TablesView | undefined;
  #unreachable: NetworkNode[] = [];
  #failure: string | undefined;

  constructor(options: EncryptedWayOptions) {
    this.#options = options;
  }

  async apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    this.#view = view;
    const concerns = changes.some(({ table }) => table === 'network' || table === 'node');
    const inUse = view.networks().some(({ encrypted }) => encrypted);
    if (concerns && (inUse || this.#inUse)) await this.compare();
  }

  /** Puts rules, link and tunnels as the tables say; for a timer, too. */
  compare(): Promise<void> {
    return this.#serial.run(() => this.#compare());
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

  async #compare(): Promise<void> {
    const view = this.#view;
    if (!view) return;
    const { kernel, link, logger, ownNodeId, table, vxlanPort, wireGuard } = this.#options;
    const encrypted = view.networks().filter((network) => network.encrypted);
    const vnis = encrypted.flatMap(({ subnets }) => subnets.map(({ vni }) => vni)).filter(Boolean);
    try {
      if (vnis.length === 0) {
        if (this.#inUse) await wireGuard.remove();
        const changes = [{ kind: 'table-remove', table } as const];
        await kernel.run([{ op: 'nft', namespace: HOST, changes }], { onRefusal: 'continue' });
        this.#inUse = false;
        this.#unreachable = [];
        return;
      }
      this.#inUse = true;
      const layout = encryptionTable({ vnis, vxlanPort: vxlanPort(), link });
      const changes = [{ kind: 'table-replace', table, layout } as const];
      await kernel.run([{ op: 'nft', namespace: HOST, changes }]);
      const { peers, unreachable } = wireGuardPeers(view, ownNodeId());
      this.#unreachable = unreachable;
      await wireGuard.configure(peers);
      this.#failure = undefined;
    } catch (error) {
      this.#failure = errorMessage(error);
      logger.error({ error: this.#failure }, 'encrypted networks are not as they should be');
    }
  }
}
