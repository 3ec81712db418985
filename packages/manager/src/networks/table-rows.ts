import { equals } from '@bufbuild/protobuf';
import { invariant } from '@skep/platform';
import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { NodeObject } from '@skep/wire';
import {
  type NetworkEndpoint,
  NetworkEndpointSchema,
  type NetworkNode,
  NetworkNodeSchema,
  type NetworkService,
  NetworkServiceSchema,
  type OverlayNetwork,
  OverlayNetworkSchema,
} from '@skep/wire/skep';
import { NodeStatus_State } from '@skep/wire/swarmkit';
import {
  endpointRow,
  networkIdsOf,
  networkIdsOfService,
  networkRow,
  nodeRow,
  serviceRow,
  type Withdrawn,
} from './rows.js';

export type Row = OverlayNetwork | NetworkNode | NetworkService | NetworkEndpoint;

/** Which row: `id` is the node's, the service's or the task's, and empty for a network itself. */
export interface RowKey {
  table: 'network' | 'node' | 'service' | 'endpoint';
  networkId: string;
  id: string;
}

const SCHEMAS = {
  network: OverlayNetworkSchema,
  node: NetworkNodeSchema,
  service: NetworkServiceSchema,
  endpoint: NetworkEndpointSchema,
} as const;

export interface TableRowsOptions {
  withdrawn: Withdrawn;
  /** A row is new, another, or gone; some of that nodes must hear of at once, the rest soon. */
  onChange(key: RowKey, isUrgent: boolean): void;
}

interface Entry {
  key: RowKey;
  row: Row;
}

/**
 * The rows of all networks, kept as the store changes: what a change costs depends on what it
 * changes, not on how much there is. Rows are shared by all that are told of them: they are never
 * changed in place.
 */
export class TableRows {
  readonly #options: TableRowsOptions;
  /** By network id, then by table and id. */
  readonly #networks = new Map<string, Map<string, Entry>>();
  /** Networks in which a node has an address. */
  readonly #ofNode = new Map<string, Set<string>>();
  /** How many tasks a service has, by network id, by service id. */
  readonly #tasksOf = new Map<string, Map<string, number>>();

  constructor(options: TableRowsOptions) {
    this.#options = options;
  }

  /** Takes over all that a store holds; called once, before {@link apply}. */
  fill(view: ReadView): void {
    invariant(this.#networks.size === 0, 'rows are filled once');
    for (const { id } of view.all('network')) this.#putNetwork(view, id);
    for (const node of view.all('node')) {
      for (const networkId of networkIdsOf(node.attachments)) {
        this.#putNode(view, networkId, node.id);
      }
    }
    for (const service of view.all('service')) {
      for (const networkId of networkIdsOfService(service, view)) {
        this.#putService(view, networkId, service.id);
      }
    }
    for (const task of view.all('task')) this.putTask(view, task.id);
  }

  /** Takes over what a commit changed; the view is the store's after it. */
  apply(changes: readonly Change[], view: ReadView): void {
    for (const change of changes) {
      if (change.table === 'network') this.#onNetwork(change, view);
      else if (change.table === 'node') this.#onNode(change, view);
      else if (change.table === 'service') this.#onService(change, view);
      else if (change.table === 'task') this.#onTask(change, view);
    }
  }

  /** A task may have become another for a reason that the store does not know. */
  putTask(view: ReadView, taskId: string): void {
    const task = view.get('task', taskId);
    for (const networkId of networkIdsOf(task?.networks ?? [])) {
      this.#putEndpoint(view, networkId, taskId);
    }
  }

  get(key: RowKey): Row | undefined {
    return this.#networks.get(key.networkId)?.get(nameOf(key))?.row;
  }

  keysOf(networkId: string): RowKey[] {
    return [...(this.#networks.get(networkId)?.values() ?? [])].map(({ key }) => key);
  }

  networksOf(nodeId: string): ReadonlySet<string> {
    return this.#ofNode.get(nodeId) ?? new Set();
  }

  #onNetwork({ kind, object }: ChangeOf<'network'>, view: ReadView): void {
    this.#putNetwork(view, object.id);
    if (kind === 'update') return;
    // Services may name a network that was not there, or is not any more.
    for (const { id } of view.all('service')) this.#putService(view, object.id, id);
  }

  #onNode({ before, kind, object }: ChangeOf<'node'>, view: ReadView): void {
    const networkIds = [...(before?.attachments ?? []), ...object.attachments];
    for (const networkId of new Set(networkIdsOf(networkIds))) {
      this.#putNode(view, networkId, object.id);
    }
    if (kind === 'update' && isDown(before) === isDown(object)) return;
    for (const { id } of view.tasksOfNode(object.id)) this.putTask(view, id);
  }

  #onService({ before, object }: ChangeOf<'service'>, view: ReadView): void {
    if (before?.spec === object.spec && before.endpoint === object.endpoint) return;
    const networkIds = [
      ...(before ? networkIdsOfService(before, view) : []),
      ...networkIdsOfService(object, view),
      ...(this.#tasksOf.get(object.id)?.keys() ?? []),
    ];
    for (const networkId of new Set(networkIds)) this.#putService(view, networkId, object.id);
  }

  #onTask({ before, object }: ChangeOf<'task'>, view: ReadView): void {
    const networkIds = networkIdsOf([...(before?.networks ?? []), ...object.networks]);
    for (const networkId of new Set(networkIds)) this.#putEndpoint(view, networkId, object.id);
  }

  #putNetwork(view: ReadView, networkId: string): void {
    const network = view.get('network', networkId);
    this.#put({ table: 'network', networkId, id: '' }, network && networkRow(network));
  }

  #putNode(view: ReadView, networkId: string, id: string): void {
    const node = view.get('node', id);
    const row = node && nodeRow(node, networkId);
    this.#put({ table: 'node', networkId, id }, row);
    const networkIds = this.#ofNode.get(id) ?? new Set();
    if (row) networkIds.add(networkId);
    else networkIds.delete(networkId);
    if (networkIds.size > 0) this.#ofNode.set(id, networkIds);
    else this.#ofNode.delete(id);
  }

  #putService(view: ReadView, networkId: string, id: string): void {
    const service = view.get('service', id);
    const isIn =
      service &&
      (this.#tasksOf.get(id)?.has(networkId) ||
        networkIdsOfService(service, view).includes(networkId));
    const row = isIn ? serviceRow(service, networkId, view) : undefined;
    this.#put({ table: 'service', networkId, id }, row);
  }

  #putEndpoint(view: ReadView, networkId: string, id: string): void {
    const key: RowKey = { table: 'endpoint', networkId, id };
    const before = this.get(key) as NetworkEndpoint | undefined;
    const task = view.get('task', id);
    const after = task && endpointRow(task, networkId, view, this.#options.withdrawn);
    this.#put(key, after);
    if (after && !before) this.#count(view, networkId, after.serviceId, 1);
    if (before && !after) this.#count(view, networkId, before.serviceId, -1);
  }

  /** A service is in a network at least as long as it has tasks there. */
  #count(view: ReadView, networkId: string, serviceId: string, more: 1 | -1): void {
    if (serviceId === '') return;
    const counts = this.#tasksOf.get(serviceId) ?? new Map<string, number>();
    const count = (counts.get(networkId) ?? 0) + more;
    if (count > 0) counts.set(networkId, count);
    else counts.delete(networkId);
    if (counts.size > 0) this.#tasksOf.set(serviceId, counts);
    else this.#tasksOf.delete(serviceId);
    if (count === 0 || (count === 1 && more === 1)) this.#putService(view, networkId, serviceId);
  }

  #put(key: RowKey, row: Row | undefined): void {
    const { networkId, table } = key;
    const entries = this.#networks.get(networkId) ?? new Map<string, Entry>();
    const before = entries.get(nameOf(key))?.row;
    if (before === row || (before && row && equals(SCHEMAS[table], before, row))) return;
    if (row) entries.set(nameOf(key), { key, row });
    else entries.delete(nameOf(key));
    if (entries.size > 0) this.#networks.set(networkId, entries);
    else this.#networks.delete(networkId);
    this.#options.onChange(key, isUrgent(table, before, row));
  }
}

/** Containers wait for networks and nodes; and what is gone, or not to be used any more, is still being used. */
function isUrgent(table: RowKey['table'], before: Row | undefined, row: Row | undefined): boolean {
  if (!row || table === 'network' || table === 'node') return true;
  return table === 'endpoint' && isReady(before) && !isReady(row);
}

function isReady(row: Row | undefined): boolean {
  return (row as NetworkEndpoint | undefined)?.ready ?? false;
}

/** Unique within a network. */
function nameOf({ table, id }: RowKey): string {
  return `${table} ${id}`;
}

function isDown(node: NodeObject | undefined): boolean {
  return node?.status.state === NodeStatus_State.DOWN;
}
