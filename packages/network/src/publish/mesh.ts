import { type Cancel, type Clock, errorMessage, type Logger } from '@skep/platform';
import type { NetKernel } from '../kernel/contract.js';
import { MESH_COMPARE_MS, MESH_WAIT_MS } from '../limits.js';
import type { Names } from '../names.js';
import type { OverlayListener, OverlayPlace, OverlayPlaces } from '../overlay/contract.js';
import type { PortHolder } from '../ports/holder.js';
import { Serial } from '../serial.js';
import type {
  OverlayNetwork,
  PortProtocol,
  TableChange,
  TablesReader,
} from '../tables/contract.js';
import { forgetFlows } from './forget-flows.js';
import { HostSide } from './host-side.js';
import { IngressSide } from './ingress-side.js';
import { type MeshEffect, MeshState } from './mesh-state.js';
import { PortKeeper } from './port-keeper.js';
import { planUplinkRemoval, type Uplink } from './uplink.js';

export interface MeshOptions {
  kernel: NetKernel;
  names: Names;
  holder: PortHolder;
  clock: Clock;
  logger: Logger;
  /** Where the ingress network stands. */
  places: OverlayPlaces;
  /** Of the link to the ingress namespace: the host's end and the other, with prefix length. */
  addresses: { host: string; inner: string };
  /** Subnets of bridges that stand on this host alone. */
  bridgeSubnets: { bridge: string; gateway: string };
  /** Of the way out of this host. */
  mtuBytes: number;
}

/** How often the kernel was compared with what should be, and in how much it differed. */
export interface MeshCounters {
  comparisons: number;
  differences: number;
}

/**
 * The routing mesh of this node: host → ingress namespace → a task, wherever it runs. Follows the
 * rows of the ingress network.
 */
export class Mesh implements TablesReader, OverlayListener {
  readonly name = 'routing mesh';
  readonly counters: MeshCounters = { comparisons: 0, differences: 0 };
  readonly #options: MeshOptions;
  readonly #state = new MeshState();
  readonly #serial = new Serial();
  readonly #keeper: PortKeeper;
  readonly #uplink: Uplink;
  readonly #host: HostSide;
  /** Undefined while the ingress network does not stand. */
  #ingress: IngressSide | undefined;
  #started = false;
  /** The kernel refused something, and has not been compared since. */
  #doubtful = false;
  #closed = false;
  #cancelTimer: Cancel | undefined;

  constructor(options: MeshOptions) {
    this.#options = options;
    const { kernel, names, addresses, mtuBytes, places } = options;
    this.#keeper = new PortKeeper(options);
    this.#uplink = { link: names.ingressLink, addresses, mtuBytes };
    this.#host = new HostSide({ kernel, table: names.meshTable, uplink: this.#uplink });
    places.addListener(this);
  }

  async apply(changes: readonly TableChange[]): Promise<void> {
    if (!this.#started) await this.#start(changes);
    const effect = this.#state.apply(changes);
    const { network } = this.#state;
    if (network && !this.#options.places.place(network.id)) await this.#untilReady(network);
    await this.#serial.run(() => this.#tried(() => this.#follow(effect)));
  }

  async made(network: OverlayNetwork): Promise<void> {
    if (network.id !== this.#state.network?.id) return;
    await this.#serial.run(() => this.#tried(() => this.#compare()));
  }

  async removing(networkId: string): Promise<void> {
    if (networkId !== this.#state.network?.id && this.#state.network) return;
    await this.#serial.run(() => this.#takeDown());
  }

  /** Looks whether the kernel still has it as it should be, ahead of time. */
  compareNow(): Promise<void> {
    if (!this.#started || this.#closed) return Promise.resolve();
    return this.#serial.run(() => this.#tried(() => this.#compare()));
  }

  /** Sentences for `docker info`. */
  warnings(): string[] {
    return this.#keeper.warnings();
  }

  /** Whether a published port is another program's of this host, too. */
  hidesAnother(protocol: PortProtocol, port: number): boolean {
    return this.#keeper.hidesAnother(protocol, port);
  }

  /** Ends. The kernel goes on balancing. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#keeper.releaseAll();
  }

  /** Removes everything of the mesh's from the host; what is in the ingress namespace goes with it. */
  async removeAll(): Promise<void> {
    this.close();
    await this.#serial.run(() => this.#takeDown());
  }

  /** What an earlier process had programmed is gone on from. */
  async #start(changes: readonly TableChange[]): Promise<void> {
    const { kernel, names, places } = this.#options;
    this.#started = true;
    this.#doubtful = true;
    this.#armTimer();
    const ingress = changes.find((change) => change.table === 'network' && change.after?.ingress);
    const place = ingress?.table === 'network' && ingress.after && places.place(ingress.after.id);
    if (!place) return;
    await this.#tried(async () => {
      const elements = await kernel.tableElements(place.namespace, names.table);
      if (elements) this.#state.adopt(elements);
    });
  }

  async #untilReady({ id, name }: OverlayNetwork): Promise<void> {
    const { clock, places, logger } = this.#options;
    const gaveUp = new AbortController();
    const cancel = clock.after(MESH_WAIT_MS, () => gaveUp.abort(new Error('it is not there yet')));
    try {
      await places.whenReady(id, gaveUp.signal);
    } catch (error) {
      logger.warn({ network: name, error: errorMessage(error) }, 'no routing mesh for now');
    } finally {
      cancel();
    }
  }

  async #follow(effect: MeshEffect): Promise<void> {
    const { kernel } = this.#options;
    const place = this.#place();
    if (!place) return this.#doubtful || this.#ingress ? this.#takeDown() : undefined;
    if (this.#doubtful || !this.#ingress?.isAt(place.namespace, place.nodeAddress)) {
      await this.#compare();
    } else {
      if (effect.nodesChanged) await this.#ingress.followPeers(this.#state.peers());
      await kernel.run([...this.#ingress.commands(effect), ...this.#host.commands(effect)]);
    }
    await kernel.run(forgetFlows(place.namespace, effect), { onRefusal: 'continue' });
    for (const key of effect.closed) this.#keeper.release(key);
    for (const key of effect.opened) await this.#keeper.hold(key);
  }

  /** Makes all of it be as it should. Rejects with what the kernel refuses. */
  async #compare(): Promise<void> {
    const place = this.#place();
    const { network } = this.#state;
    if (!place || !network) return;
    this.#ingress = this.#sideAt(place);
    const subnets = network.subnets.map(({ subnet }) => subnet).filter(isIpv4);
    const ambiguous = [this.#options.bridgeSubnets.gateway, ...subnets];
    const differences =
      (await this.#ingress.compare(() => this.#state.all(), this.#state.peers())) +
      (await this.#host.compare(this.#state.ports(), ambiguous));
    this.#doubtful = false;
    this.counters.comparisons++;
    this.counters.differences += differences;
    await this.#keeper.keep(this.#state.ports());
  }

  /** Undefined while this node is not in an ingress network, or it does not stand. */
  #place(): OverlayPlace | undefined {
    const { network } = this.#state;
    return network && this.#options.places.place(network.id);
  }

  #sideAt({ namespace, nodeAddress }: OverlayPlace): IngressSide {
    if (this.#ingress?.isAt(namespace, nodeAddress)) return this.#ingress;
    const { kernel, names, bridgeSubnets } = this.#options;
    return new IngressSide({
      kernel,
      namespace,
      table: names.table,
      nodeAddress,
      uplink: this.#uplink,
      bridgeSubnets: Object.values(bridgeSubnets),
    });
  }

  async #takeDown(): Promise<void> {
    this.#ingress = undefined;
    this.#doubtful = false;
    this.#keeper.releaseAll();
    const commands = [this.#host.removal(), planUplinkRemoval(this.#uplink)];
    await this.#options.kernel.run(commands, { onRefusal: 'continue' });
  }

  /** What fails is made up for at once by comparing, and at the latest by the next comparison. */
  async #tried(work: () => Promise<void>): Promise<void> {
    const { logger } = this.#options;
    try {
      await work();
    } catch (error) {
      logger.warn({ error: errorMessage(error) }, 'routing mesh differs from what it should be');
      this.#doubtful = true;
      this.#ingress = undefined;
      this.#host.distrust();
    }
    if (!this.#doubtful) return;
    try {
      await this.#compare();
    } catch (error) {
      logger.error({ error: errorMessage(error) }, 'routing mesh not put right');
    }
  }

  #armTimer(): void {
    if (this.#closed) return;
    this.#cancelTimer = this.#options.clock.after(MESH_COMPARE_MS, () => {
      void this.#serial.run(() => this.#tried(() => this.#compare())).then(() => this.#armTimer());
    });
  }
}

function isIpv4(subnet: string): boolean {
  return !subnet.includes(':');
}
