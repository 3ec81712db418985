import { isDeepStrictEqual } from 'node:util';
import type {
  NetworkEndpoint,
  NetworkNode,
  NetworkService,
  OverlayNetwork,
  TableChange,
  TablesReader,
  TablesView,
  TableUpdate,
} from './contract.js';
import { ReaderQueue } from './reader-queue.js';

interface Rows {
  network: OverlayNetwork;
  nodes: Map<string, NetworkNode>;
  services: Map<string, NetworkService>;
  endpoints: Map<string, NetworkEndpoint>;
  /** Endpoint ids by service id. */
  ofService: Map<string, Set<string>>;
}

/** The tables of this node, and who is to hear of their changes. */
export class Tables implements TablesView {
  readonly #rows = new Map<string, Rows>();
  readonly #queues: ReaderQueue[] = [];
  #version = 0n;

  get version(): bigint {
    return this.#version;
  }

  /** The reader hears at once of all that is there already, as new. */
  addReader(reader: TablesReader): void {
    const queue = new ReaderQueue(reader, this);
    this.#queues.push(queue);
    queue.add(this.#everything());
  }

  /**
   * Takes an update over; entries of a network that is not (or no longer) known are left out. Resolves
   * when every reader has done what follows from it.
   */
  async update(update: TableUpdate): Promise<void> {
    const changes: TableChange[] = [];
    if (update.complete) changes.push(...this.#leaveOut(update));
    for (const { table, networkId, id } of update.gone) {
      changes.push(...this.#remove(table, networkId, id));
    }
    for (const network of update.networks) changes.push(...this.#putNetwork(network));
    for (const node of update.nodes) changes.push(...this.#putNode(node));
    for (const service of update.services) changes.push(...this.#putService(service));
    for (const endpoint of update.endpoints) changes.push(...this.#putEndpoint(endpoint));
    this.#version = update.version;
    for (const queue of this.#queues) queue.add(changes, update.complete);
    await Promise.all(this.#queues.map((queue) => queue.whenIdle()));
  }

  network(networkId: string): OverlayNetwork | undefined {
    return this.#rows.get(networkId)?.network;
  }

  networks(): OverlayNetwork[] {
    return [...this.#rows.values()].map(({ network }) => network).sort(byId);
  }

  nodes(networkId: string): NetworkNode[] {
    return sorted(this.#rows.get(networkId)?.nodes);
  }

  node(networkId: string, nodeId: string): NetworkNode | undefined {
    return this.#rows.get(networkId)?.nodes.get(nodeId);
  }

  services(networkId: string): NetworkService[] {
    return sorted(this.#rows.get(networkId)?.services);
  }

  service(networkId: string, serviceId: string): NetworkService | undefined {
    return this.#rows.get(networkId)?.services.get(serviceId);
  }

  endpoints(networkId: string): NetworkEndpoint[] {
    return sorted(this.#rows.get(networkId)?.endpoints);
  }

  endpoint(networkId: string, id: string): NetworkEndpoint | undefined {
    return this.#rows.get(networkId)?.endpoints.get(id);
  }

  endpointsOfService(networkId: string, serviceId: string): NetworkEndpoint[] {
    const rows = this.#rows.get(networkId);
    const ids = [...(rows?.ofService.get(serviceId) ?? [])].sort();
    return ids.flatMap((id) => rows?.endpoints.get(id) ?? []);
  }

  #everything(): TableChange[] {
    return [...this.#rows.values()].flatMap((rows): TableChange[] => [
      { table: 'network', after: rows.network },
      ...[...rows.nodes.values()].map((after): TableChange => ({ table: 'node', after })),
      ...[...rows.services.values()].map((after): TableChange => ({ table: 'service', after })),
      ...[...rows.endpoints.values()].map((after): TableChange => ({ table: 'endpoint', after })),
    ]);
  }

  /** What is there and not in a complete update goes. */
  #leaveOut(update: TableUpdate): TableChange[] {
    const networks = new Set(update.networks.map(({ id }) => id));
    const nodes = new Set(update.nodes.map((node) => key(node.networkId, node.nodeId)));
    const services = new Set(update.services.map((row) => key(row.networkId, row.serviceId)));
    const endpoints = new Set(update.endpoints.map(({ networkId, id }) => key(networkId, id)));
    const changes: TableChange[] = [];
    for (const [networkId, rows] of [...this.#rows]) {
      const drop = (table: TableChange['table'], ids: Iterable<string>, kept: Set<string>) => {
        for (const id of [...ids]) {
          if (!kept.has(key(networkId, id))) changes.push(...this.#remove(table, networkId, id));
        }
      };
      if (!networks.has(networkId)) {
        changes.push(...this.#remove('network', networkId, ''));
        continue;
      }
      drop('endpoint', rows.endpoints.keys(), endpoints);
      drop('service', rows.services.keys(), services);
      drop('node', rows.nodes.keys(), nodes);
    }
    return changes;
  }

  /** What depends on an entry goes before it. */
  #remove(table: TableChange['table'], networkId: string, id: string): TableChange[] {
    const rows = this.#rows.get(networkId);
    if (!rows) return [];
    switch (table) {
      case 'endpoint':
        return this.#removeEndpoint(rows, id);
      case 'service':
        return removeFrom(rows.services, id, (before) => ({ table, before }));
      case 'node':
        return removeFrom(rows.nodes, id, (before) => ({ table, before }));
      case 'network': {
        const changes = [
          ...[...rows.endpoints.keys()].flatMap((each) => this.#removeEndpoint(rows, each)),
          ...[...rows.services.keys()].flatMap((each) => this.#remove('service', networkId, each)),
          ...[...rows.nodes.keys()].flatMap((each) => this.#remove('node', networkId, each)),
        ];
        this.#rows.delete(networkId);
        return [...changes, { table, before: rows.network }];
      }
    }
  }

  #removeEndpoint(rows: Rows, id: string): TableChange[] {
    const before = rows.endpoints.get(id);
    if (before) unlist(rows, before);
    return removeFrom(rows.endpoints, id, (gone) => ({ table: 'endpoint', before: gone }));
  }

  #putNetwork(network: OverlayNetwork): TableChange[] {
    const rows = this.#rows.get(network.id);
    const before = rows?.network;
    if (isDeepStrictEqual(before, network)) return [];
    if (rows) rows.network = network;
    else this.#rows.set(network.id, emptyRows(network));
    return [{ table: 'network', ...(before && { before }), after: network }];
  }

  #putNode(node: NetworkNode): TableChange[] {
    const nodes = this.#rows.get(node.networkId)?.nodes;
    return putInto(nodes, node.nodeId, node, (change) => ({ table: 'node', ...change }));
  }

  #putService(service: NetworkService): TableChange[] {
    const services = this.#rows.get(service.networkId)?.services;
    return putInto(services, service.serviceId, service, (change) => ({
      table: 'service',
      ...change,
    }));
  }

  #putEndpoint(endpoint: NetworkEndpoint): TableChange[] {
    const rows = this.#rows.get(endpoint.networkId);
    const before = rows?.endpoints.get(endpoint.id);
    if (rows && before) unlist(rows, before);
    if (rows) list(rows, endpoint);
    return putInto(rows?.endpoints, endpoint.id, endpoint, (change) => ({
      table: 'endpoint',
      ...change,
    }));
  }
}

function emptyRows(network: OverlayNetwork): Rows {
  return {
    network,
    nodes: new Map(),
    services: new Map(),
    endpoints: new Map(),
    ofService: new Map(),
  };
}

function list(rows: Rows, { id, serviceId }: NetworkEndpoint): void {
  if (!serviceId) return;
  const ids = rows.ofService.get(serviceId);
  if (ids) ids.add(id);
  else rows.ofService.set(serviceId, new Set([id]));
}

function unlist(rows: Rows, { id, serviceId }: NetworkEndpoint): void {
  const ids = rows.ofService.get(serviceId);
  ids?.delete(id);
  if (ids?.size === 0) rows.ofService.delete(serviceId);
}

function putInto<T>(
  map: Map<string, T> | undefined,
  id: string,
  after: T,
  change: (values: { before?: T; after: T }) => TableChange,
): TableChange[] {
  const before = map?.get(id);
  if (!map || isDeepStrictEqual(before, after)) return [];
  map.set(id, after);
  return [change(before === undefined ? { after } : { before, after })];
}

function removeFrom<T>(
  map: Map<string, T>,
  id: string,
  change: (before: T) => TableChange,
): TableChange[] {
  const before = map.get(id);
  map.delete(id);
  return before === undefined ? [] : [change(before)];
}

function key(networkId: string, id: string): string {
  return `${networkId}/${id}`;
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}

function sorted<T>(map: Map<string, T> | undefined): T[] {
  const entries = [...(map ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([, value]) => value);
}
