import type { ContainerEngine } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import { HttpError } from '../server/errors.js';
import { networkResourceToJson } from '../swarm/convert/network.js';
import { managerOf } from '../swarm/manager.js';
import { type NodeNetworks, networkDetails } from '../swarm/network-details.js';
import { matchesList, usedNetworks, wantsDangling } from '../swarm/network-filters.js';
import { inspectSwarmNetwork, listSwarmNetworks } from '../swarm/networks.js';
import type { SwarmDependencies } from '../swarm/routes/index.js';

export type NetworkJson = Record<string, unknown>;

/** The node's own networks. */
export interface LocalNetworkSource {
  list(filters: Record<string, string[]>): object[];
  /** Throws NOT_FOUND. */
  inspect(nameOrId: string): object;
}

export interface NetworkListOptions {
  local: LocalNetworkSource;
  swarm: SwarmDependencies;
  engine: Pick<ContainerEngine, 'list'>;
  node: NodeNetworks;
}

/**
 * The node's own networks and the swarm's: all of them on a manager, those that it takes part in on a worker.
 */
export class NetworkList {
  readonly #options: NetworkListOptions;

  constructor(options: NetworkListOptions) {
    this.#options = options;
  }

  async list(wanted: Record<string, string[]>): Promise<object[]> {
    const own = this.#options.local.list(wanted);
    const ofSwarm = (await this.#ofSwarm()).filter((network) => matchesList(network, wanted));
    const dangling = wantsDangling(wanted);
    if (dangling === undefined) return [...own, ...ofSwarm];
    const used = await this.#used();
    return [...own, ...ofSwarm.filter(({ Id }) => used.has(String(Id)) !== dangling)];
  }

  /** By name, id or its beginning; `scope` is empty for any. Rejects with 404. */
  async find(input: string, scope: string): Promise<NetworkJson> {
    if (scope !== 'swarm') {
      try {
        return this.#options.local.inspect(input) as NetworkJson;
      } catch (error) {
        if (!(error instanceof RpcError && error.code === Code.NOT_FOUND)) throw error;
      }
    }
    const found = scope === 'local' ? undefined : await this.#findOfSwarm(input);
    if (!found) throw new HttpError(404, `network ${input} not found`);
    return found;
  }

  /** With what only a node that takes part in the network knows of it. */
  async inspect(input: string, scope: string, verbose: boolean): Promise<NetworkJson> {
    const found = await this.find(input, scope);
    const { node, engine } = this.#options;
    if (!node.attached().some(({ id }) => id === found.Id)) return found;
    return { ...found, ...(await networkDetails(node, engine, String(found.Id), verbose)) };
  }

  get #isManager(): boolean {
    return this.#options.swarm.node.info().controlAvailable;
  }

  get #control() {
    const { node, clock } = this.#options.swarm;
    return managerOf(node, clock);
  }

  /** Those that this node takes part in, none of them outside of a swarm. */
  get #present(): NetworkJson[] {
    const { node, swarm } = this.#options;
    if (swarm.node.localNodeState() === 'inactive') return [];
    return node.attached().map(networkResourceToJson);
  }

  /** A swarm that cannot answer must not hide what the node knows by itself. */
  async #ofSwarm(): Promise<NetworkJson[]> {
    if (!this.#isManager) return this.#present;
    return listSwarmNetworks(this.#control).catch(() => this.#present);
  }

  async #findOfSwarm(input: string): Promise<NetworkJson | undefined> {
    if (!this.#isManager) return findAmong(this.#present, input);
    try {
      return await inspectSwarmNetwork(this.#control, input);
    } catch (error) {
      if (error instanceof HttpError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Ids of the networks in use, as far as this node knows. */
  async #used(): Promise<Set<string>> {
    const containers = await this.#options.engine.list({ all: false, size: false, filters: {} });
    const own = containers.flatMap(({ NetworkSettings }) =>
      Object.values(NetworkSettings.Networks).map(({ NetworkID }) => NetworkID),
    );
    const byServices = this.#isManager ? await usedNetworks(this.#control).catch(() => []) : [];
    return new Set([...own, ...byServices]);
  }
}

function findAmong(networks: readonly NetworkJson[], input: string): NetworkJson | undefined {
  const exact = networks.find(({ Id, Name }) => Id === input || Name === input);
  if (exact || input === '') return exact;
  const found = networks.filter(({ Id }) => String(Id).startsWith(input));
  if (found.length > 1) {
    const matches = `(${found.length} matches found based on ID prefix)`;
    throw new HttpError(400, `network ${input} is ambiguous ${matches}`);
  }
  return found[0];
}
