import { isDeepStrictEqual } from 'node:util';
import { hostAddress } from '../address/host-address.js';
import type {
  KernelCommand,
  NamespacePath,
  NamespaceView,
  NetKernel,
  TunnelEntries,
} from '../kernel/contract.js';
import type { OverlayNetwork, TableChange, TablesView } from '../tables/contract.js';
import type { EncryptedCarrier, OverlayPlace } from './contract.js';
import { encryptionFailure, kernelFailure } from './failure.js';
import { overlayMtuBytes } from './mtu.js';
import { Peers } from './peers.js';
import { placeOf } from './place.js';
import { type DataPath, type OverlayPlan, planOverlay, planRemoval } from './plan.js';

/** What the tunnels of all networks travel on. */
export interface Underlay {
  dataPath: DataPath;
  mtuBytes: number;
  /** Absent: no network is carried that asks for it. */
  carrier?: EncryptedCarrier;
}

export interface Outcome {
  /** The namespace or a bridge of it was not there. */
  made: boolean;
  /** Commands it took to bring what stood to what should be. */
  differences: number;
}

const NO_ENTRIES: TunnelEntries = { neighbours: [], forwarding: [] };
/** No namespace of the name, or a plain file that lost its namespace at a reboot. */
const NOTHING_STANDS = new Set(['ENOENT', 'EINVAL']);

/** What stands in a namespace; undefined: there is none. */
export async function inspectStanding(
  kernel: NetKernel,
  namespace: NamespacePath,
): Promise<NamespaceView | undefined> {
  try {
    return await kernel.inspect(namespace);
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOTHING_STANDS.has(String(error.code))) {
      return undefined;
    }
    throw error;
  }
}

/** One overlay network in this node's kernel. Calls come one after the other. */
export class Overlay {
  readonly #kernel: NetKernel;
  readonly #namespace: NamespacePath;
  #network: OverlayNetwork;
  #place: OverlayPlace | undefined;
  #peers: Peers | undefined;
  #plan: OverlayPlan | undefined;
  #failure: Error | undefined;
  #divergence = 0;

  constructor(kernel: NetKernel, namespace: NamespacePath, network: OverlayNetwork) {
    this.#kernel = kernel;
    this.#namespace = namespace;
    this.#network = network;
  }

  get network(): OverlayNetwork {
    return this.#network;
  }

  /** Undefined while it does not stand. */
  get place(): OverlayPlace | undefined {
    return this.#place;
  }

  /** Why it could not be made, or put right. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** In how many things the kernel was otherwise than it should, when it was last compared. */
  get divergence(): number {
    return this.#divergence;
  }

  /** Makes it, or puts right what differs. Rejects with what is to be told to people. */
  async settle(network: OverlayNetwork, underlay: Underlay, view: TablesView): Promise<Outcome> {
    this.#network = network;
    try {
      const outcome = await this.#settle(underlay, view);
      this.#failure = undefined;
      return outcome;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }

  /** What changes of its nodes and endpoints ask of the kernel; nothing while it does not stand. */
  follow(changes: readonly TableChange[]): KernelCommand[] {
    return this.#peers?.follow(changes) ?? [];
  }

  /** With everything that is in its namespace. */
  async remove(): Promise<void> {
    const standing = await inspectStanding(this.#kernel, this.#namespace);
    this.#place = undefined;
    this.#peers = undefined;
    this.#plan = undefined;
    await this.#kernel.run(planRemoval(this.#namespace, standing), { onRefusal: 'continue' });
  }

  async #settle(underlay: Underlay, view: TablesView): Promise<Outcome> {
    const overheadBytes = await this.#encrypt(underlay.carrier);
    const plan: OverlayPlan = {
      namespace: this.#namespace,
      network: this.#network,
      dataPath: underlay.dataPath,
      mtuBytes: overlayMtuBytes(this.#network, underlay, overheadBytes),
    };
    const standing = await inspectStanding(this.#kernel, this.#namespace);
    const structure = planOverlay(plan, standing);
    const known = standing ? await this.#kernel.tunnelEntries(this.#namespace) : NO_ENTRIES;
    const peers = this.#peersOf(plan, view);
    const entries = peers.compare(withoutNew(known, structure));
    await this.#run(plan, [...structure, ...entries], standing !== undefined);
    this.#peers = peers;
    this.#place = placeOf(plan);
    const differences = structure.length + entries.length;
    // What is wanted otherwise than before is no fault of the kernel's.
    this.#divergence = isDeepStrictEqual(this.#plan, plan) ? differences : 0;
    this.#plan = plan;
    const made = structure.some(({ op }) => op === 'bridge-add');
    return { made, differences };
  }

  #peersOf(plan: OverlayPlan, view: TablesView): Peers {
    const { segments } = placeOf(plan);
    const ipVersion = hostAddress(plan.dataPath.address)?.version ?? 4;
    return new Peers(this.#namespace, { network: this.#network, segments, ipVersion }, view);
  }

  /** What encryption adds to each packet, once no packet could leave without it. */
  async #encrypt(carrier: EncryptedCarrier | undefined): Promise<number> {
    if (!this.#network.encrypted) return 0;
    if (!carrier) throw encryptionFailure(this.#network);
    try {
      await carrier.prepare(this.#network);
    } catch (error) {
      throw encryptionFailure(this.#network, error);
    }
    return carrier.overheadBytes;
  }

  async #run(plan: OverlayPlan, commands: KernelCommand[], stands: boolean): Promise<void> {
    try {
      await this.#kernel.run(commands);
    } catch (error) {
      if (!stands) await this.remove();
      throw kernelFailure(plan.network, plan.dataPath, commands, error);
    }
  }
}

/** A tunnel that is made anew has no entries yet. */
function withoutNew(entries: TunnelEntries, commands: readonly KernelCommand[]): TunnelEntries {
  const fresh = new Set(
    commands.flatMap((command) => (command.op === 'vxlan-add' ? [command.link] : [])),
  );
  return {
    neighbours: entries.neighbours.filter(({ link }) => !fresh.has(link)),
    forwarding: entries.forwarding.filter(({ link }) => !fresh.has(link)),
  };
}
