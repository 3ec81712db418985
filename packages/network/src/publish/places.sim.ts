import type { SimKernel } from '../kernel/simulated/kernel.js';
import { INGRESS_BRIDGE, type Names } from '../names.js';
import type { OverlayListener, OverlayPlace, OverlayPlaces } from '../overlay/contract.js';
import type { OverlayNetwork } from '../tables/contract.js';

/** Overlay networks of a simulated kernel, made and removed when the test says so. */
export class SimPlaces implements OverlayPlaces {
  readonly #kernel: SimKernel;
  readonly #names: Names;
  readonly #places = new Map<string, OverlayPlace>();
  readonly #listeners: OverlayListener[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(options: { kernel: SimKernel; names: Names }) {
    this.#kernel = options.kernel;
    this.#names = options.names;
  }

  place(networkId: string): OverlayPlace | undefined {
    return this.#places.get(networkId);
  }

  async whenReady(networkId: string, signal: AbortSignal): Promise<OverlayPlace> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const place = this.#places.get(networkId);
    if (!place) throw new Error(`network ${networkId} cannot be made`);
    return place;
  }

  addListener(listener: OverlayListener): void {
    this.#listeners.push(listener);
  }

  /** Makes the network's namespace; with `quietly`, as it stands since before a restart. */
  async make(network: OverlayNetwork, quietly = false): Promise<void> {
    const namespace = this.#names.overlayNamespace(network.id);
    const { nodeAddress } = network;
    const place = { namespace, nodeAddress, mtuBytes: 1_450, segments: [] };
    this.#places.set(network.id, place);
    if (quietly) return;
    await this.#kernel.run([
      { op: 'namespace-add', path: namespace },
      { op: 'bridge-add', namespace, link: INGRESS_BRIDGE },
      { op: 'link-change', namespace, link: INGRESS_BRIDGE, change: { up: true } },
      { op: 'address-add', namespace, link: INGRESS_BRIDGE, address: nodeAddress },
    ]);
    for (const listener of this.#listeners) await listener.made(network, place);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async remove(networkId: string): Promise<void> {
    for (const listener of this.#listeners) await listener.removing(networkId);
    const place = this.#places.get(networkId);
    this.#places.delete(networkId);
    if (place) await this.#kernel.run([{ op: 'namespace-remove', path: place.namespace }]);
  }
}
