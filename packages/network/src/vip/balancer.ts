import { type Cancel, type Clock, errorMessage, type Logger } from '@skep/platform';
import type { NetKernel } from '../kernel/contract.js';
import { VIP_COMPARE_PERIOD_MS } from '../limits.js';
import type { AttachedSandbox, SandboxReader } from '../sandbox/contract.js';
import { bareAddress } from '../sandbox/plan.js';
import { Serial } from '../serial.js';
import type { TableChange, TablesReader, TablesView } from '../tables/contract.js';
import { type AttachedVips, ContainerVips } from './container-vips.js';
import { type Departure, departuresFor, departuresOf, type LeftAddress } from './departures.js';
import { endpointAddress } from './endpoint-address.js';
import { type NetworkChange, NetworkVips } from './network-vips.js';

export interface VipBalancerOptions {
  kernel: NetKernel;
  clock: Clock;
  logger: Logger;
  /** Name of the table in each container's namespace. */
  table: string;
  comparePeriodMs?: number;
}

/** What a batch of changes means for containers. */
interface News {
  changed: Map<string, NetworkChange>;
  /** Networks heard of for the first time: tables of containers on them are compared whole. */
  made: Set<string>;
  departures: Departure[];
}

/**
 * Virtual IPs, translated in the namespace of each container that asks for one. A container whose
 * networks have none gets no table.
 */
export class VipBalancer implements SandboxReader, TablesReader {
  readonly name = 'virtual IPs';
  readonly #options: VipBalancerOptions;
  readonly #serial = new Serial();
  readonly #forgetting = new Serial();
  readonly #containers = new Map<string, ContainerVips>();
  readonly #networks = new Map<string, NetworkVips>();
  /** Absent until somebody has said what there is: what stands in the kernel stays till then. */
  #view: TablesView | undefined;
  #cancelComparison: Cancel = () => {};
  #isClosed = false;

  constructor(options: VipBalancerOptions) {
    this.#options = options;
    this.#compareLater();
  }

  apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    return this.#serial.run(() => this.#apply(changes, view));
  }

  added(sandbox: AttachedSandbox): Promise<void> {
    return this.#serial.run(async () => {
      try {
        await this.#put(sandbox);
      } catch (error) {
        this.#containers.delete(sandbox.containerId); // it does not start
        throw error;
      }
    });
  }

  changed(sandbox: AttachedSandbox): Promise<void> {
    return this.#serial.run(() => this.#put(sandbox));
  }

  removed(containerId: string): Promise<void> {
    return this.#serial.run(() => this.#remove(containerId));
  }

  /** Ends the comparisons; what stands in the kernel stays. */
  close(): void {
    this.#isClosed = true;
    this.#cancelComparison();
  }

  async #apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    this.#view = view;
    const departures = departuresOf(changes, view);
    const news: News = { changed: new Map(), made: new Set(), departures };
    for (const [networkId, { serviceIds, taken }] of concerned(changes)) {
      const isKnown = this.#networks.has(networkId);
      if (!isKnown && serviceIds.size === 0) continue;
      if (!isKnown) news.made.add(networkId);
      const vips = await this.#network(networkId, view);
      news.changed.set(networkId, vips.refresh(serviceIds, view, taken));
    }
    const works = [...this.#containers.values()].map((container) =>
      this.#guarded(container, () => this.#bring(container, news)),
    );
    await Promise.all(works);
    for (const networkId of this.#networks.keys()) {
      if (!view.network(networkId)) this.#networks.delete(networkId);
    }
  }

  /** Brings one container's table to what the tables say now. */
  async #bring(container: ContainerVips, { changed, departures, made }: News): Promise<void> {
    const { networks } = container.sandbox;
    const isConcerned = (those: { has(networkId: string): boolean }) =>
      networks.some(({ networkId }) => those.has(networkId));
    if (!container.isKnown || isConcerned(made)) await this.#settle(container);
    else if (isConcerned(changed)) {
      await container.change(changed, this.#networksOf(container.sandbox));
    }
    this.#forgetLater(container, departuresFor(container.sandbox, departures));
  }

  /** Compares and puts right; flows to what it led to before, and no longer does, end. */
  async #settle(container: ContainerVips): Promise<void> {
    const lost = await container.settle(this.#networksOf(container.sandbox));
    if (lost.length === 0) return;
    const { networks } = container.sandbox;
    const standing = new Set(
      networks.flatMap(({ networkId }) =>
        (this.#view?.endpoints(networkId) ?? []).map(endpointAddress),
      ),
    );
    const isThere = (address: string) => standing.has(address);
    const departures = lost.map((address) => ({ address, udpOnly: isThere(address) }));
    this.#forgetLater(container, departures);
  }

  async #put(given: AttachedSandbox): Promise<void> {
    // The routing mesh serves the ingress network's virtual IPs; no container is told of them.
    const networks = given.networks.filter(({ ingress }) => !ingress);
    const sandbox = { ...given, networks };
    const container = new ContainerVips({ ...this.#options, sandbox });
    this.#containers.set(sandbox.containerId, container);
    if (!this.#view) return;
    for (const { networkId } of networks) await this.#network(networkId, this.#view);
    await this.#settle(container);
  }

  /** Its neighbours' flows to it end here and now; the tables follow. */
  async #remove(containerId: string): Promise<void> {
    const gone = this.#containers.get(containerId);
    if (!this.#containers.delete(containerId) || !gone) return;
    const departures = gone.sandbox.networks.map(({ networkId, address }) => ({
      networkId,
      address: bareAddress(address),
      udpOnly: false,
    }));
    for (const container of this.#containers.values()) {
      this.#forgetLater(container, departuresFor(container.sandbox, departures));
    }
  }

  /** With what an earlier run of this process had balanced, where a container still has it. */
  async #network(networkId: string, view: TablesView): Promise<NetworkVips> {
    const known = this.#networks.get(networkId);
    if (known) return known;
    const vips = new NetworkVips(networkId);
    this.#networks.set(networkId, vips);
    const standing = await this.#standingOn(networkId);
    if (standing) vips.adopt(standing, view);
    const all = view.services(networkId).map(({ serviceId }) => serviceId);
    vips.refresh(new Set(all), view);
    return vips;
  }

  async #standingOn(networkId: string) {
    for (const container of this.#containers.values()) {
      if (!container.sandbox.networks.some((attached) => attached.networkId === networkId))
        continue;
      const standing = await container.standing().catch(() => undefined);
      if (standing) return standing;
    }
    return undefined;
  }

  #networksOf(sandbox: AttachedSandbox): AttachedVips[] {
    return sandbox.networks.flatMap((attached) => {
      const vips = this.#networks.get(attached.networkId);
      return vips ? [{ attached, vips }] : [];
    });
  }

  #compareLater(): void {
    if (this.#isClosed) return;
    const periodMs = this.#options.comparePeriodMs ?? VIP_COMPARE_PERIOD_MS;
    this.#cancelComparison = this.#options.clock.after(periodMs, () => {
      void this.#compareAll().finally(() => this.#compareLater());
    });
  }

  /** One container at a time, so that changes get their turn in between. */
  async #compareAll(): Promise<void> {
    for (const container of [...this.#containers.values()]) {
      await this.#serial.run(() => this.#guarded(container, () => this.#compare(container)));
    }
  }

  async #compare(container: ContainerVips): Promise<void> {
    if (!this.#view || !this.#isCurrent(container)) return;
    const { containerId } = container.sandbox;
    if (!(await container.compare(this.#networksOf(container.sandbox)))) return;
    this.#options.logger.debug({ containerId }, 'compared the rules of a container');
  }

  /**
   * Flows end a moment after the table has changed: the kernel walks all it tracks for each, 1 ms long,
   * and the next change of a table need not wait for that.
   */
  #forgetLater(container: ContainerVips, departures: readonly LeftAddress[]): void {
    if (departures.length === 0) return;
    void this.#forgetting.run(async () => {
      for (const { address, udpOnly } of departures) {
        if (this.#isCurrent(container)) await container.forget(address, udpOnly);
      }
    });
  }

  #isCurrent(container: ContainerVips): boolean {
    return this.#containers.get(container.sandbox.containerId) === container;
  }

  /** What the kernel refuses for one container is no other's trouble; the next comparison repeats it. */
  async #guarded(container: ContainerVips, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { containerId } = container.sandbox;
      const reason = errorMessage(error);
      this.#options.logger.error({ containerId, error: reason }, 'virtual IPs not up to date');
    }
  }
}

/** What changes mean for one network. */
interface Concern {
  serviceIds: Set<string>;
  /** Addresses that tasks and nodes have now. */
  taken: Set<string>;
}

/** By network. */
function concerned(changes: readonly TableChange[]): Map<string, Concern> {
  const concerns = new Map<string, Concern>();
  const of = (networkId: string): Concern => {
    const concern = concerns.get(networkId) ?? { serviceIds: new Set(), taken: new Set() };
    concerns.set(networkId, concern);
    return concern;
  };
  for (const change of changes) {
    if (change.table === 'node' && change.after) {
      of(change.after.networkId).taken.add(bareAddress(change.after.address));
    }
    if (change.table !== 'service' && change.table !== 'endpoint') continue;
    for (const row of [change.before, change.after]) {
      if (row?.serviceId) of(row.networkId).serviceIds.add(row.serviceId);
    }
    if (change.table !== 'endpoint' || !change.after) continue;
    const { addresses, networkId } = change.after;
    for (const address of addresses) of(networkId).taken.add(bareAddress(address));
  }
  return concerns;
}
