import { parseAddress } from '../address/ipv4.js';
import { ElementDiff, type Elements } from '../balance/element-diff.js';
import { BalanceLayout } from '../balance/layout.js';
import { RETIRED_VIPS_PER_NETWORK_MAX } from '../limits.js';
import type { TablesView } from '../tables/contract.js';
import { endpointAddress } from './endpoint-address.js';

/** What a change of the tables means for the containers on one network. */
export interface NetworkChange {
  /** The same for each of them. */
  shared: ElementDiff;
  /** Virtual IPs whose backend is each container's own matter, and that are others now. */
  own: string[];
}

/** Virtual IPs of one network. Those without client affinity look alike in all containers. */
export class NetworkVips {
  readonly #networkId: string;
  readonly #layout = new BalanceLayout();
  /** Virtual IP → ready backends, of services whose clients stay with the one they got. */
  readonly #sticky = new Map<string, readonly string[]>();
  /** Of each service that has one. */
  readonly #vips = new Map<string, string>();
  /**
   * Of services that are gone, the longest gone first: who still knows one is refused at once, where
   * nobody would answer for it on the network. Until somebody has the address.
   */
  readonly #retired = new Set<string>();

  constructor(networkId: string) {
    this.#networkId = networkId;
  }

  get size(): number {
    return this.#layout.size + this.#sticky.size;
  }

  get sticky(): ReadonlyMap<string, readonly string[]> {
    return this.#sticky;
  }

  /** Takes over what is the same for all containers, for one whose table is empty. */
  addTo(diff: ElementDiff): void {
    this.#layout.addTo(diff);
  }

  /** Goes on from the slots that a container's table has; before the first `refresh`. */
  adopt(elements: Elements, view: TablesView): void {
    const services = view.services(this.#networkId);
    const vips = new Set(services.map(({ virtualIp }) => virtualIp));
    this.#layout.adopt(elements, (vip) => vips.has(vip));
  }

  /**
   * Takes over what the tables say of these services, the ones that are gone among them; `taken` are
   * addresses that tasks and nodes have now.
   */
  refresh(
    serviceIds: ReadonlySet<string>,
    view: TablesView,
    taken: ReadonlySet<string> = new Set(),
  ): NetworkChange {
    const change: NetworkChange = { shared: new ElementDiff(), own: [] };
    // An address that one service gave up may be another's in the same breath.
    for (const serviceId of serviceIds) {
      const vip = this.#vips.get(serviceId);
      if (vip && vip !== this.#vipOf(serviceId, view)) this.#drop(serviceId, vip, change);
    }
    for (const serviceId of serviceIds) {
      const vip = this.#vipOf(serviceId, view);
      if (vip) this.#put(serviceId, vip, view, change);
    }
    for (const address of taken) this.#release(address, change);
    while (this.#retired.size > RETIRED_VIPS_PER_NETWORK_MAX) {
      const [oldest] = this.#retired;
      if (oldest) this.#release(oldest, change);
    }
    return change;
  }

  /** Undefined for a service without a virtual IP that can be translated. */
  #vipOf(serviceId: string, view: TablesView): string | undefined {
    const vip = view.service(this.#networkId, serviceId)?.virtualIp;
    return vip && parseAddress(vip) !== undefined ? vip : undefined;
  }

  #drop(serviceId: string, vip: string, change: NetworkChange): void {
    this.#vips.delete(serviceId);
    this.#layout.set(vip, { targets: [], choice: 'random' }, change.shared);
    this.#retired.add(vip);
    if (this.#sticky.delete(vip)) change.own.push(vip);
  }

  /** The address is no service's any more, nor of one that is gone. */
  #release(vip: string, change: NetworkChange): void {
    if (this.#retired.delete(vip)) this.#layout.set(vip, undefined, change.shared);
  }

  #put(serviceId: string, vip: string, view: TablesView, change: NetworkChange): void {
    const targets = view
      .endpointsOfService(this.#networkId, serviceId)
      .flatMap((endpoint) => (endpoint.ready ? (endpointAddress(endpoint) ?? []) : []));
    const isSticky = view.service(this.#networkId, serviceId)?.clientAffinity ?? false;
    this.#vips.set(serviceId, vip);
    this.#retired.delete(vip);
    if (isSticky || this.#sticky.has(vip)) change.own.push(vip);
    if (isSticky) {
      this.#sticky.set(vip, targets);
      this.#layout.set(vip, undefined, change.shared);
    } else {
      this.#sticky.delete(vip);
      this.#layout.set(vip, { targets, choice: 'random' }, change.shared);
    }
  }
}
