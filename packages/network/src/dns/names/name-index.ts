import type { TableChange, TablesReader } from '../../tables/contract.js';
import { NetworkNames } from './network-names.js';

/**
 * The tables by name: what a question costs does not depend on how many services there are. It
 * follows the tables within the call that changes them, so no answer is older than they are.
 */
export class NameIndex implements TablesReader {
  readonly name = 'names';
  readonly #networks = new Map<string, NetworkNames>();

  /** Undefined while the tables do not have the network. */
  network(networkId: string): NetworkNames | undefined {
    return this.#networks.get(networkId);
  }

  async apply(changes: readonly TableChange[]): Promise<void> {
    for (const change of changes) this.#applyOne(change);
  }

  #applyOne(change: TableChange): void {
    switch (change.table) {
      case 'network':
        this.#setNetwork(change);
        break;
      case 'service': {
        const row = change.after ?? change.before;
        if (!row) break;
        this.#networks.get(row.networkId)?.setService(row.serviceId, change.after);
        break;
      }
      case 'endpoint': {
        const row = change.after ?? change.before;
        if (!row) break;
        this.#networks.get(row.networkId)?.setEndpoint(row.id, change.after);
        break;
      }
    }
  }

  #setNetwork({ before, after }: TableChange & { table: 'network' }): void {
    if (before && !after) this.#networks.delete(before.id);
    if (!after) return;
    const names = this.#networks.get(after.id) ?? new NetworkNames();
    names.setNetwork(after);
    this.#networks.set(after.id, names);
  }
}
