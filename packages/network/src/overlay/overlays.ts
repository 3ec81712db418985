import { type Cancel, type Clock, errorMessage, type Logger } from '@skep/platform';
import { overlayWarnings } from '../host/warnings.js';
import {
  HOST,
  type NamespacePath,
  type NamespaceView,
  type NetKernel,
} from '../kernel/contract.js';
import { OVERLAY_COMPARE_MS } from '../limits.js';
import type { Names } from '../names.js';
import type { SandboxRegistry } from '../sandbox/registry.js';
import { Serial } from '../serial.js';
import type { TableChange, TablesReader, TablesView } from '../tables/contract.js';
import type { EncryptedCarrier, OverlayListener, OverlayPlace, OverlayPlaces } from './contract.js';
import { type OverlaySummary, summarize } from './list.js';
import { linkMtuBytes } from './mtu.js';
import { inspectStanding, Overlay, type Underlay } from './overlay.js';
import { placeIn } from './place.js';
import { type DataPath, planRemoval } from './plan.js';
import { OverlayWaiters } from './waiters.js';

export interface OverlaysOptions {
  kernel: NetKernel;
  names: Names;
  clock: Clock;
  logger: Logger;
  tables: TablesView;
  registry: SandboxRegistry;
}

/** Runs a step when its turn comes. */
type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * The overlay networks of this node: makes those that the tables name, keeps their tunnels as the
 * tables say, and removes the rest once no container is on them. What stands after a restart is left
 * alone until the tables are filled and this node's data path is known; then the difference alone is
 * changed.
 */
export class Overlays implements TablesReader, OverlayPlaces {
  readonly name = 'overlay networks';
  readonly #options: OverlaysOptions;
  readonly #serial = new Serial();
  readonly #waiters = new OverlayWaiters();
  readonly #overlays = new Map<string, Overlay>();
  readonly #listeners: OverlayListener[] = [];
  /** What stood when this process started, until the tables say what should. */
  readonly #found = new Map<NamespacePath, OverlayPlace>();
  #dataPath: DataPath | undefined;
  #underlay: Underlay | undefined;
  #carrier: EncryptedCarrier | undefined;
  #host: NamespaceView | undefined;
  #cancel: Cancel = () => {};
  #isClosed = false;
  #repairs = 0;

  constructor(options: OverlaysOptions) {
    this.#options = options;
  }

  /** Things put right since this process started that somebody else had changed. */
  get repairs(): number {
    return this.#repairs;
  }

  /** How this node's tunnels reach other nodes; undefined while that is not known. */
  get dataPath(): DataPath | undefined {
    return this.#dataPath;
  }

  addListener(listener: OverlayListener): void {
    this.#listeners.push(listener);
  }

  /** Without one, encrypted networks are refused. To be called before the first update. */
  encryptWith(carrier: EncryptedCarrier): void {
    this.#carrier = carrier;
  }

  place(networkId: string): OverlayPlace | undefined {
    const overlay = this.#overlays.get(networkId);
    return overlay?.place ?? this.#found.get(this.#options.names.overlayNamespace(networkId));
  }

  async whenReady(networkId: string, signal: AbortSignal): Promise<OverlayPlace> {
    const standing = this.place(networkId);
    if (standing) return standing;
    // It could not be made the last time somebody tried; this is a reason to try again.
    if (this.#overlays.get(networkId)?.failure)
      void this.#serial.run(() => this.#settle(networkId));
    return this.#waiters.wait(networkId, signal);
  }

  list(): OverlaySummary[] {
    const { tables, registry } = this.#options;
    return this.#all().map((overlay) => summarize(overlay, tables, registry));
  }

  /** Networks on this node, in the order of their ids. */
  #all(): Overlay[] {
    return this.#options.tables.networks().flatMap(({ id }) => this.#overlays.get(id) ?? []);
  }

  /** How the tunnels reach other nodes. Nothing is made before it is known. */
  configure(dataPath: DataPath): Promise<void> {
    return this.#serial.run(async () => {
      const known = this.#dataPath;
      if (known?.address === dataPath.address && known.udpPort === dataPath.udpPort) return;
      this.#dataPath = dataPath;
      await this.#compareAll('as configured');
    });
  }

  /** Looks at what stands, and compares from now on. To be called once, before anything else. */
  async recover(): Promise<void> {
    for (const namespace of await this.#namespaces()) {
      const view = await inspectStanding(this.#options.kernel, namespace);
      const place = view && placeIn(namespace, view);
      if (place) this.#found.set(namespace, place);
    }
    this.#compareLater();
  }

  /** Namespaces that stood when this process started, and that nobody has judged yet. */
  get found(): NamespacePath[] {
    return [...this.#found.keys()];
  }

  async #namespaces(): Promise<NamespacePath[]> {
    const { kernel, names } = this.#options;
    const all = await kernel.listNamespaces(names.namespaceDirectory);
    return all.filter((path) => names.isOverlayNamespace(path));
  }

  apply(changes: readonly TableChange[]): Promise<void> {
    return this.#serial.run(() => this.#follow(changes));
  }

  /** A container left these networks, some of which may have waited for that. */
  released(networkIds: readonly string[]): void {
    const { tables } = this.#options;
    const doomed = networkIds.filter((id) => this.#overlays.has(id) && !tables.network(id));
    if (doomed.length === 0) return;
    void this.#serial.run(async () => {
      for (const id of doomed) await this.#leave(id);
    });
  }

  /** What stands in their way, in sentences for `docker info`. */
  warnings(): string[] {
    const host = this.#host;
    const overlays = this.#all();
    const failures = overlays.flatMap(({ failure }) => failure?.message ?? []);
    if (!host) return failures;
    const networks = overlays.map(({ network }) => network);
    return [...failures, ...overlayWarnings({ host, networks })];
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  /** Removes the namespaces of all networks. */
  async removeAll(): Promise<void> {
    this.close();
    await this.#serial.run(async () => {
      for (const id of [...this.#overlays.keys()]) await this.#leave(id);
      for (const namespace of await this.#namespaces()) await this.#sweep(namespace);
    });
  }

  async #follow(changes: readonly TableChange[]): Promise<void> {
    if (!this.#underlay) return this.#compareAll('as the swarm says');
    const ofNetworks = new Set<string>();
    const others = new Map<string, TableChange[]>();
    for (const change of changes) {
      const id = networkIdOf(change);
      const isBroken = this.#overlays.get(id)?.failure !== undefined;
      if (change.table === 'network' || isBroken) ofNetworks.add(id);
      else if (!others.get(id)?.push(change)) others.set(id, [change]);
    }
    for (const id of ofNetworks) {
      others.delete(id);
      await this.#settle(id);
    }
    await this.#followPeers(others);
  }

  async #followPeers(changes: ReadonlyMap<string, TableChange[]>): Promise<void> {
    const { kernel, logger } = this.#options;
    const commands = [...changes].flatMap(
      ([id, ofNetwork]) => this.#overlays.get(id)?.follow(ofNetwork) ?? [],
    );
    try {
      await kernel.run(commands);
    } catch (error) {
      logger.warn({ error: errorMessage(error) }, 'tunnels differ; comparing');
      for (const id of changes.keys()) await this.#settle(id);
    }
  }

  #compareLater(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(OVERLAY_COMPARE_MS, () => {
      // A change of the tables waits for one network to be compared, not for all.
      const inTurn: InTurn = (work) => this.#serial.run(work);
      void this.#compareAll('again', inTurn).then(() => this.#compareLater());
    });
  }

  async #compareAll(why: string, inTurn: InTurn = (work) => work()): Promise<void> {
    const { logger, tables } = this.#options;
    if (!this.#dataPath || tables.version === 0n) return;
    try {
      await inTurn(() => this.#lookAtHost());
      for (const { id } of tables.networks()) {
        const outcome = await inTurn(() => this.#settle(id));
        if (!outcome || outcome.made || outcome.differences === 0) continue;
        logger.warn({ networkId: id, ...outcome }, `overlay network put right, ${why}`);
      }
      await inTurn(() => this.#sweepAll());
    } catch (error) {
      logger.error({ error: errorMessage(error) }, 'overlay networks not compared');
    }
  }

  async #lookAtHost(): Promise<void> {
    const { kernel } = this.#options;
    const dataPath = this.#dataPath;
    if (!dataPath) return;
    const view = await kernel.inspect(HOST);
    this.#host = view;
    const mtuBytes = linkMtuBytes(view, dataPath.address);
    this.#underlay = { dataPath, mtuBytes, ...(this.#carrier && { carrier: this.#carrier }) };
  }

  /** Removes what the tables do not have. */
  async #sweepAll(): Promise<void> {
    const { tables, names } = this.#options;
    for (const id of [...this.#overlays.keys()]) if (!tables.network(id)) await this.#leave(id);
    const kept = new Set(tables.networks().map(({ id }) => names.overlayNamespace(id)));
    for (const namespace of await this.#namespaces()) {
      if (!kept.has(namespace)) await this.#sweep(namespace);
    }
  }

  /** Never rejects: what cannot be made is in the log, in the network's failure, and tried again. */
  async #settle(networkId: string) {
    const { kernel, names, tables, logger } = this.#options;
    const network = tables.network(networkId);
    const underlay = this.#underlay;
    if (!underlay) return undefined;
    if (!network) return void (await this.#leave(networkId));
    const namespace = names.overlayNamespace(networkId);
    const overlay = this.#overlays.get(networkId) ?? new Overlay(kernel, namespace, network);
    this.#overlays.set(networkId, overlay);
    const failed = overlay.failure?.message;
    const wasKnown = this.place(networkId) !== undefined;
    try {
      const outcome = await overlay.settle(network, underlay, tables);
      this.#found.delete(namespace);
      this.#repairs += overlay.divergence;
      const { place } = overlay;
      if (place && (outcome.made || !wasKnown)) {
        await this.#tell((listener) => listener.made(network, place));
      }
      if (place) this.#waiters.resolve(networkId, place);
      return outcome;
    } catch (error) {
      const text = errorMessage(error);
      if (text !== failed) logger.error({ networkId, error: text }, 'overlay network not made');
      this.#waiters.reject(networkId, error);
      return undefined;
    }
  }

  /** Removes a network that the tables do not have, unless a container is still on it. */
  async #leave(networkId: string): Promise<void> {
    const overlay = this.#overlays.get(networkId);
    if (!overlay || this.#isInUse(overlay.network.id)) return;
    await this.#tell((listener) => listener.removing(networkId));
    try {
      await overlay.remove();
    } catch (error) {
      this.#options.logger.warn({ networkId, error: errorMessage(error) }, 'network leftovers');
    }
    this.#overlays.delete(networkId);
  }

  /** Removes a namespace of an earlier run whose network nobody knows. */
  async #sweep(namespace: NamespacePath): Promise<void> {
    const { kernel, names, registry, logger } = this.#options;
    const isUsed = (id: string) => names.overlayNamespace(id) === namespace && this.#isInUse(id);
    const ids = registry.all().flatMap(({ request }) => request.endpoints);
    if (ids.some(({ networkId }) => isUsed(networkId))) return;
    this.#found.delete(namespace);
    logger.info({ namespace }, 'removing an overlay network that is gone');
    const standing = await inspectStanding(kernel, namespace);
    await kernel.run(planRemoval(namespace, standing), { onRefusal: 'continue' });
  }

  #isInUse(networkId: string): boolean {
    return this.#options.registry
      .all()
      .some(({ request }) => request.endpoints.some((other) => other.networkId === networkId));
  }

  async #tell(inform: (listener: OverlayListener) => Promise<void>): Promise<void> {
    for (const listener of this.#listeners) {
      try {
        await inform(listener);
      } catch (error) {
        this.#options.logger.error({ error: errorMessage(error) }, 'overlay network not served');
      }
    }
  }
}

function networkIdOf(change: TableChange): string {
  if (change.table === 'network') return (change.after ?? change.before)?.id ?? '';
  return (change.after ?? change.before)?.networkId ?? '';
}
