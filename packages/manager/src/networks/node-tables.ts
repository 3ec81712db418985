import { create } from '@bufbuild/protobuf';
import {
  Gone_Kind,
  GoneSchema,
  type NetworkEndpoint,
  type NetworkNode,
  type NetworkService,
  type NetworksUpdate,
  NetworksUpdateSchema,
  type OverlayNetwork,
} from '@skep/wire/skep';
import { CHANGED_ROWS_MAX, ROWS_PER_MESSAGE } from './limits.js';
import type { RowKey, TableRows } from './table-rows.js';

/**
 * What one node has been told of its networks, and what it must be told next. Knows no clock and no
 * stream.
 */
export class NodeTables {
  readonly #nodeId: string;
  readonly #rows: TableRows;
  /** Networks that the node knows all of, but for what changed. */
  readonly #told = new Set<string>();
  readonly #changed = new Map<string, RowKey>();
  #isComplete = true;
  #number = 0;

  constructor(nodeId: string, rows: TableRows) {
    this.#nodeId = nodeId;
    this.#rows = rows;
  }

  /** Number of the last update that was made; 0 before the first. */
  get number(): number {
    return this.#number;
  }

  /** Whether there may be something to tell. */
  get isDue(): boolean {
    return this.#isComplete || this.#changed.size > 0;
  }

  /** Whether the node knows of one of these networks. */
  knowsAny(networkIds: readonly string[]): boolean {
    return networkIds.some((id) => this.#told.has(id));
  }

  /** Notes that a row changed. True when that concerns this node. */
  mark(key: RowKey): boolean {
    const concerns =
      key.table === 'network' || this.#isOwnNode(key) || this.#told.has(key.networkId);
    if (this.#isComplete || !concerns) return concerns;
    this.#changed.set(`${key.table} ${key.networkId} ${key.id}`, key);
    if (this.#changed.size > CHANGED_ROWS_MAX) this.#forget();
    return true;
  }

  /** The next update, in messages that are made as they are asked for; none when all is told. */
  *next(version: () => bigint): Generator<NetworksUpdate> {
    const complete = this.#isComplete;
    const keys = this.#take();
    if (keys.length === 0 && !complete) return;
    const number = BigInt(++this.#number);
    let from = 0;
    do {
      const some = keys.slice(from, from + ROWS_PER_MESSAGE);
      from += some.length;
      const continued = from < keys.length;
      const head = { version: version(), complete, number, continued };
      yield this.#message(create(NetworksUpdateSchema, head), some);
    } while (from < keys.length);
  }

  /** The node will be told everything anew. */
  #forget(): void {
    this.#isComplete = true;
    this.#changed.clear();
    this.#told.clear();
  }

  #isOwnNode({ table, id }: RowKey): boolean {
    return table === 'node' && id === this.#nodeId;
  }

  /** The rows of the next update, which from here on are as good as told. */
  #take(): RowKey[] {
    const marked = [...this.#changed.values()];
    const ofNode = marked.filter((key) => key.table === 'network' || this.#isOwnNode(key));
    const networkIds = this.#isComplete
      ? this.#rows.networksOf(this.#nodeId)
      : new Set(ofNode.map(({ networkId }) => networkId));
    this.#changed.clear();
    this.#isComplete = false;
    const keys: RowKey[] = [];
    const joined = new Set<string>();
    for (const networkId of networkIds) {
      const knew = this.#told.delete(networkId);
      const isIn = this.#network(networkId) !== undefined;
      if (isIn) this.#told.add(networkId);
      if (isIn || knew) keys.push({ table: 'network', networkId, id: '' });
      if (!isIn || knew) continue;
      joined.add(networkId);
      keys.push(...this.#rows.keysOf(networkId).filter(({ table }) => table !== 'network'));
    }
    const others = marked.filter(
      ({ networkId, table }) =>
        table !== 'network' && this.#told.has(networkId) && !joined.has(networkId),
    );
    return [...keys, ...others];
  }

  /** A network with the node's own address in it; undefined where it has none. */
  #network(networkId: string): OverlayNetwork | undefined {
    const row = this.#rows.get({ table: 'network', networkId, id: '' });
    const node = this.#rows.get({ table: 'node', networkId, id: this.#nodeId });
    if (!row || !node) return undefined;
    return { ...(row as OverlayNetwork), nodeAddress: (node as NetworkNode).address };
  }

  #message(message: NetworksUpdate, keys: readonly RowKey[]): NetworksUpdate {
    for (const key of keys) {
      if (key.table === 'network') this.#addNetwork(message, key.networkId);
      else this.#addRow(message, key);
    }
    return message;
  }

  #addNetwork(message: NetworksUpdate, networkId: string): void {
    const network = this.#network(networkId);
    if (network) {
      message.networks.push(network);
      return;
    }
    // It may have gone since the update was begun: what follows of it begins with all of it.
    this.#told.delete(networkId);
    message.gone.push(create(GoneSchema, { kind: Gone_Kind.NETWORK, networkId }));
  }

  #addRow(message: NetworksUpdate, key: RowKey): void {
    const row = this.#rows.get(key);
    if (!row) {
      const { id, networkId } = key;
      message.gone.push(create(GoneSchema, { kind: GONE_KINDS[key.table], networkId, id }));
    } else if (key.table === 'node') {
      message.nodes.push(row as NetworkNode);
    } else if (key.table === 'service') {
      message.services.push(row as NetworkService);
    } else {
      message.endpoints.push(row as NetworkEndpoint);
    }
  }
}

const GONE_KINDS: Record<RowKey['table'], Gone_Kind> = {
  network: Gone_Kind.NETWORK,
  node: Gone_Kind.NODE,
  service: Gone_Kind.SERVICE,
  endpoint: Gone_Kind.ENDPOINT,
};
