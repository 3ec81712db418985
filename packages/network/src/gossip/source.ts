import type { Cancel, Clock } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import { GOSSIP_SPREAD_MS } from '../limits.js';
import type { AttachedSandbox, SandboxReader } from '../sandbox/contract.js';
import type { TaskAnnouncer } from '../stopping/contract.js';
import type { NetworkNode, OverlayNetwork, TableUpdate } from '../tables/contract.js';
import type { GossipView } from './contract.js';
import { type OwnContainer, ownEndpoint, ownService } from './own-rows.js';
import { type Rows, rowsOfGossip } from './rows.js';

export interface GossipSourceOptions {
  tables: { update(update: TableUpdate): Promise<void> };
  gossip: GossipView;
  clock: Clock;
  /** Of this node; empty while it is in no swarm. */
  nodeId: () => string;
  /** Where this node takes VXLAN packets. */
  tunnelAddress: () => string;
}

type Gone = TableUpdate['gone'][number];

/** Tasks' containers are called after them, as no container that somebody attached is. */
const TASK_NAME = /\.[0-9a-z]{25}$/;

/**
 * The tables of a node whose manager tells nothing of networks, as Docker's do not: made of the networks
 * it is attached to, of its own containers, and of what other nodes gossip. While it is not started it only
 * keeps count of containers.
 */
export class GossipSource implements SandboxReader, TaskAnnouncer {
  readonly name = 'gossip';
  readonly spreadMs = GOSSIP_SPREAD_MS;
  readonly #options: GossipSourceOptions;
  /** By container id. */
  readonly #sandboxes = new Map<string, AttachedSandbox>();
  /** Those that have been active; by task id. */
  readonly #tasks = new Map<string, { task: TaskObject; ready: boolean }>();
  /** Undefined until the manager has said which: what stands is left as it is. */
  #networks: readonly OverlayNetwork[] | undefined;
  #unsubscribe: Cancel | undefined;
  #isDue = false;
  #version = 0n;
  /** What the tables have from here; undefined before the first update. */
  #last: ReadonlyMap<string, Gone> | undefined;

  constructor(options: GossipSourceOptions) {
    this.#options = options;
  }

  /** From now on the tables are as this source says. */
  start(): void {
    this.#unsubscribe ??= this.#options.gossip.onChange(() => this.#updateSoon());
    this.#updateSoon();
  }

  /** A manager says what the tables are. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#last = undefined;
  }

  /** This node has left its swarm. */
  forget(): void {
    this.stop();
    this.#networks = undefined;
    this.#tasks.clear();
  }

  /** What this node is called is known: nothing is said of it before. */
  identified(): void {
    this.#updateSoon();
  }

  /** The networks in which this node has an address. */
  async setNetworks(networks: readonly OverlayNetwork[]): Promise<void> {
    this.#networks = networks;
    await this.#update();
  }

  async activate(task: TaskObject): Promise<void> {
    this.#tasks.set(task.id, { task, ready: true });
    await this.#update();
  }

  /** Resolves when this node sends the task nothing; others hear of it within `spreadMs`. */
  async withdraw(taskId: string): Promise<void> {
    const known = this.#tasks.get(taskId);
    if (!known) return;
    known.ready = false;
    await this.#update();
  }

  async added(sandbox: AttachedSandbox): Promise<void> {
    this.#sandboxes.set(sandbox.containerId, sandbox);
    this.#updateSoon();
  }

  async changed(sandbox: AttachedSandbox): Promise<void> {
    await this.added(sandbox);
  }

  async removed(containerId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(containerId);
    if (!sandbox) return;
    this.#sandboxes.delete(containerId);
    this.#tasks.delete(taskIdIn(sandbox.name));
    this.#updateSoon();
  }

  /** All that changes in one turn is one update. */
  #updateSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.soon(() => {
      this.#isDue = false;
      void this.#update();
    });
  }

  async #update(): Promise<void> {
    const networks = this.#networks;
    if (!this.#unsubscribe || !networks || this.#options.nodeId() === '') return;
    const rows = networks.map((network) => this.#rowsOf(network));
    const all = {
      networks: [...networks],
      nodes: rows.flatMap(({ nodes }) => nodes),
      services: rows.flatMap(({ services }) => services),
      endpoints: rows.flatMap(({ endpoints }) => endpoints),
    };
    const keys = keysOf(all);
    const complete = this.#last === undefined;
    const gone = [...(this.#last ?? [])].flatMap(([key, row]) => (keys.has(key) ? [] : [row]));
    this.#last = keys;
    const version = ++this.#version;
    await this.#options.tables.update({ version, complete, ...all, gone });
  }

  /** Of a service that others know as well, this node's own tasks say more. */
  #rowsOf(network: OverlayNetwork): Rows {
    const { tunnelAddress } = this.#options;
    const nodeId = this.#options.nodeId();
    const { nodes, services, endpoints } = rowsOfGossip(network, this.#options.gossip);
    const byId = new Map(services.map((service) => [service.serviceId, service]));
    const { id: networkId, nodeAddress: address } = network;
    const own: NetworkNode = {
      ...{ networkId, nodeId, address, tunnelAddress: tunnelAddress(), ownAgent: true },
      ...{ wireguardKey: new Uint8Array(), wireguardPort: 0, down: false },
    };
    for (const container of this.#containers()) {
      const attached = container.sandbox.networks.find((other) => other.networkId === networkId);
      if (!attached) continue;
      endpoints.push(ownEndpoint(container, attached, nodeId));
      const service = ownService(container, networkId);
      if (service) byId.set(service.serviceId, service);
    }
    return { nodes: [...nodes, own], services: [...byId.values()], endpoints };
  }

  #containers(): OwnContainer[] {
    return [...this.#sandboxes.values()].map((sandbox) => {
      const taskId = taskIdIn(sandbox.name);
      const known = this.#tasks.get(taskId);
      const ready = known ? known.ready : taskId === '';
      return { id: taskId || sandbox.containerId, sandbox, task: known?.task, ready };
    });
  }
}

function taskIdIn(containerName: string): string {
  return TASK_NAME.test(containerName) ? containerName.slice(-25) : '';
}

/** Each row as what would be gone with it. */
function keysOf(update: Omit<TableUpdate, 'version' | 'complete' | 'gone'>): Map<string, Gone> {
  const { networks, nodes, services, endpoints } = update;
  const all: Gone[] = [
    ...endpoints.map(({ networkId, id }) => ({ table: 'endpoint', networkId, id }) as const),
    ...services.map(
      ({ networkId, serviceId: id }) => ({ table: 'service', networkId, id }) as const,
    ),
    ...nodes.map(({ networkId, nodeId: id }) => ({ table: 'node', networkId, id }) as const),
    ...networks.map(({ id }) => ({ table: 'network', networkId: id, id: '' }) as const),
  ];
  return new Map(all.map((row) => [`${row.table} ${row.networkId} ${row.id}`, row]));
}
