import { invariant } from '@skep/platform';
import type { KernelCommand, NamespacePath, TunnelEntries } from '../kernel/contract.js';
import type { NetworkEndpoint, NetworkNode, TableChange, TablesView } from '../tables/contract.js';
import { entriesOfEndpoint, entriesOfNode, type TunnelsOfNetwork } from './entries.js';
import { EntryTable } from './entry-table.js';

/** Whom the tunnels of one network reach: the tables' nodes and endpoints as entries of the kernel. */
export class Peers {
  readonly #tunnels: TunnelsOfNetwork;
  readonly #view: TablesView;
  readonly #entries: EntryTable;

  constructor(namespace: NamespacePath, tunnels: TunnelsOfNetwork, view: TablesView) {
    this.#tunnels = tunnels;
    this.#view = view;
    this.#entries = new EntryTable(
      namespace,
      tunnels.segments.map(({ tunnel }) => tunnel),
    );
    const { id } = tunnels.network;
    for (const node of view.nodes(id)) this.#setNode(node.nodeId, node);
    for (const endpoint of view.endpoints(id)) this.#setEndpoint(endpoint.id, endpoint);
  }

  /** What brings the kernel from what stands to all that should. */
  compare(standing: TunnelEntries): KernelCommand[] {
    this.#entries.compare(standing);
    return this.#entries.changes();
  }

  /** What changes of this network's nodes and endpoints ask of the kernel. */
  follow(changes: readonly TableChange[]): KernelCommand[] {
    const { id } = this.#tunnels.network;
    for (const change of changes) {
      if (change.table === 'node') {
        const { nodeId } = rowOf(change.before, change.after);
        this.#setNode(nodeId, this.#view.node(id, nodeId));
        // The entries of its endpoints depend on it.
        for (const endpoint of this.#view.endpoints(id)) {
          if (endpoint.nodeId === nodeId) this.#setEndpoint(endpoint.id, endpoint);
        }
      }
      if (change.table === 'endpoint') {
        const row = rowOf(change.before, change.after);
        this.#setEndpoint(row.id, this.#view.endpoint(id, row.id));
      }
    }
    return this.#entries.changes();
  }

  #setNode(nodeId: string, node: NetworkNode | undefined): void {
    const entries = node ? entriesOfNode(this.#tunnels, node) : [];
    this.#entries.set(`node ${nodeId}`, entries);
  }

  #setEndpoint(endpointId: string, endpoint: NetworkEndpoint | undefined): void {
    const node = endpoint && this.#view.node(this.#tunnels.network.id, endpoint.nodeId);
    const entries = endpoint ? entriesOfEndpoint(this.#tunnels, endpoint, node) : [];
    this.#entries.set(`endpoint ${endpointId}`, entries);
  }
}

function rowOf<T>(before: T | undefined, after: T | undefined): T {
  const row = after ?? before;
  invariant(row, 'a change has a row');
  return row;
}
