import type { ElementDiff, Elements } from '../balance/element-diff.js';
import { BalanceLayout } from '../balance/layout.js';
import type { NetworkEndpoint, NetworkService } from '../tables/contract.js';
import { endpointAddress } from '../vip/endpoint-address.js';
import { portKey } from './port-key.js';
import { StickyLayout } from './sticky-layout.js';

/** Keys of ports, protocol . port, whose part in the mesh is another now. */
export interface PortsEffect {
  /** Answered from now on, or no more. */
  opened: string[];
  closed: string[];
  /** They have a backend now, and had none. */
  revived: string[];
}

interface Backend {
  /** address . port */
  target: string;
  serviceId: string;
  ready: boolean;
}

/** The ports of the ingress network's tasks, and the ready tasks behind each. */
export class PublishedPorts {
  /** Port → backends by the id of their endpoint. */
  readonly #ports = new Map<string, Map<string, Backend>>();
  readonly #layout = new BalanceLayout();
  readonly #sticky = new StickyLayout();
  /** Services whose clients stay with the task that they got first. */
  readonly #affine = new Set<string>();
  /** Ports to be looked at again. */
  readonly #touched = new Set<string>();
  /** Ports that are answered. */
  readonly #open = new Set<string>();

  keys(): string[] {
    return [...this.#open];
  }

  adopt(elements: Elements): void {
    this.#layout.adopt(elements, () => true);
    for (const key of this.#layout.keys()) this.#touched.add(key);
  }

  putService({ serviceId, clientAffinity }: NetworkService): void {
    if (clientAffinity === this.#affine.has(serviceId)) return;
    if (clientAffinity) this.#affine.add(serviceId);
    else this.#affine.delete(serviceId);
    for (const [key, backends] of this.#ports) {
      const concerned = [...backends.values()].some((one) => one.serviceId === serviceId);
      if (concerned) this.#touched.add(key);
    }
  }

  removeService(serviceId: string): void {
    this.#affine.delete(serviceId);
  }

  putEndpoint(endpoint: NetworkEndpoint): void {
    const { id, serviceId, ready, ports } = endpoint;
    const address = endpointAddress(endpoint);
    if (!address) return;
    for (const { protocol, publishedPort, targetPort } of ports) {
      const key = portKey(protocol, publishedPort);
      const backends = this.#ports.get(key) ?? new Map<string, Backend>();
      this.#ports.set(key, backends);
      backends.set(id, { target: `${address} . ${targetPort}`, serviceId, ready });
      this.#touched.add(key);
    }
  }

  removeEndpoint({ id, ports }: NetworkEndpoint): void {
    for (const { protocol, publishedPort } of ports) {
      const key = portKey(protocol, publishedPort);
      const backends = this.#ports.get(key);
      backends?.delete(id);
      if (backends?.size === 0) this.#ports.delete(key);
      this.#touched.add(key);
    }
  }

  /** What all changes since the last time add up to. */
  settle(diff: ElementDiff): PortsEffect {
    const effect: PortsEffect = { opened: [], closed: [], revived: [] };
    for (const key of this.#touched) this.#settleOne(key, diff, effect);
    this.#touched.clear();
    return effect;
  }

  addTo(diff: ElementDiff): void {
    this.#layout.addTo(diff);
    this.#sticky.addTo(diff);
  }

  #settleOne(key: string, diff: ElementDiff, effect: PortsEffect): void {
    const backends = [...(this.#ports.get(key)?.values() ?? [])];
    const targets = backends.filter(({ ready }) => ready).map(({ target }) => target);
    const isSticky = backends.some(({ serviceId }) => this.#affine.has(serviceId));
    const hadBackends = this.#layout.get(key) !== undefined || this.#sticky.has(key);
    // Without an entry a packet meets the namespace itself, where nobody listens: a reset, at once.
    const wanted = targets.length > 0;
    const random = wanted && !isSticky ? { targets, choice: 'random' as const } : undefined;
    // One's entry goes before the other's comes: the key is the same.
    if (random) this.#sticky.set(key, [], diff);
    if (random || this.#layout.get(key)) this.#layout.set(key, random, diff);
    if (!random) this.#sticky.set(key, targets, diff);
    if (wanted && !hadBackends) effect.revived.push(key);
    this.#openOrClose(key, backends.length > 0, effect);
  }

  #openOrClose(key: string, isOpen: boolean, effect: PortsEffect): void {
    if (isOpen === this.#open.has(key)) return;
    if (isOpen) this.#open.add(key);
    else this.#open.delete(key);
    (isOpen ? effect.opened : effect.closed).push(key);
  }
}
