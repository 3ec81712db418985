import { Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { type BalanceTable, balanceTransactions } from '../balance/changes.js';
import { ElementDiff, type Elements } from '../balance/element-diff.js';
import { BalanceLayout, slotKey } from '../balance/layout.js';
import { BalanceSet } from '../balance/sets.js';
import { type KernelCommand, KernelError, type NetKernel } from '../kernel/contract.js';
import { VIPS_PER_CONTAINER_MAX } from '../limits.js';
import type { NftChange } from '../rules/nft.js';
import type { AttachedNetwork, AttachedSandbox } from '../sandbox/contract.js';
import { bareAddress } from '../sandbox/plan.js';
import type { NetworkChange, NetworkVips } from './network-vips.js';
import { rendezvous } from './rendezvous.js';
import { VIP_TRANSLATION, vipTable } from './vip-table.js';

export interface ContainerVipsOptions {
  kernel: NetKernel;
  /** Name of the table in the container's namespace. */
  table: string;
  logger: Logger;
  sandbox: AttachedSandbox;
}

/** A network of the container with its virtual IPs. */
export interface AttachedVips {
  attached: AttachedNetwork;
  vips: NetworkVips;
}

/** Of a namespace in which nobody has ever changed a rule (nf_tables_init_net): nothing to look at. */
const UNTOUCHED_GENERATION = 1;

/** The table of virtual IPs in one container's namespace. Calls must come one after the other. */
export class ContainerVips {
  readonly #options: ContainerVipsOptions;
  readonly #table: BalanceTable;
  /** Virtual IPs with client affinity: each leads to the one backend that this container is with. */
  readonly #own = new BalanceLayout();
  /** Whether the kernel is known to have the table, or to have none; before that it is compared. */
  #standing: 'unknown' | 'none' | 'loaded' = 'unknown';
  /** Of the namespace's rules, as far as only this object has changed them. */
  #generation: number | undefined;

  constructor(options: ContainerVipsOptions) {
    this.#options = options;
    this.#table = { name: options.table, chains: new Set(), translation: VIP_TRANSLATION };
  }

  get sandbox(): AttachedSandbox {
    return this.#options.sandbox;
  }

  /** Whether the kernel's table is known, so that changes are enough. */
  get isKnown(): boolean {
    return this.#standing !== 'unknown';
  }

  /** What a container's table holds now; undefined: it has none. */
  standing(): Promise<Elements | undefined> {
    return this.#options.kernel.tableElements(this.sandbox.namespace, this.#table.name);
  }

  /**
   * Changes what the changes say, and compares all of the table where the kernel is not as it should
   * be. Rejects when the kernel refuses that as well.
   */
  async change(
    changes: ReadonlyMap<string, NetworkChange>,
    networks: AttachedVips[],
  ): Promise<void> {
    const diffs: ElementDiff[] = [];
    for (const { attached, vips } of networks) {
      const change = changes.get(attached.networkId);
      if (!change) continue;
      diffs.push(change.shared);
      if (change.own.length > 0) diffs.push(this.#chooseOwn(attached, vips, change.own));
    }
    if (this.#standing !== 'loaded') return void (await this.settle(networks));
    const [first, ...more] = diffs;
    const diff = more.reduce((merged, one) => merged.with(one), first ?? new ElementDiff());
    await this.#run(balanceTransactions(diff, this.#table), networks);
  }

  /**
   * Compares the kernel's table with what it should be, and changes the difference. Resolves the
   * backends that it led to and no longer does. Rejects when the kernel refuses.
   */
  async settle(networks: AttachedVips[]): Promise<string[]> {
    const { kernel, sandbox } = this.#options;
    this.#standing = 'unknown';
    this.#generation = await kernel.rulesGeneration(sandbox.namespace);
    const isUntouched = this.#generation === UNTOUCHED_GENERATION;
    const standing = isUntouched ? undefined : await this.standing();
    for (const { attached, vips } of networks) {
      if (standing) this.#adoptOwn(standing, vips);
      this.#chooseOwn(attached, vips, [...vips.sticky.keys()]);
    }
    const wanted = this.#wanted(networks);
    await this.#run(this.#repair(standing, wanted), networks);
    this.#standing = wanted.isEmpty ? 'none' : 'loaded';
    return standing ? lost(standing, wanted.target()) : [];
  }

  /** Settles when somebody else has changed the namespace's rules; true when it did. */
  async compare(networks: AttachedVips[]): Promise<boolean> {
    const { kernel, sandbox } = this.#options;
    const isEmpty = networks.every(({ vips }) => vips.size === 0);
    if (this.#standing === 'none' && isEmpty) return false;
    const generation = await kernel.rulesGeneration(sandbox.namespace);
    if (this.#standing === 'loaded' && generation === this.#generation) return false;
    await this.settle(networks);
    return true;
  }

  /** Breaks off flows to an address: datagrams alone, or all. */
  async forget(replySource: string, udpOnly: boolean): Promise<void> {
    const { kernel, logger, sandbox } = this.#options;
    if (this.#standing !== 'loaded') return;
    const { containerId, namespace } = sandbox;
    const match = udpOnly ? { replySource, protocol: 'udp' as const } : { replySource };
    try {
      await kernel.run([{ op: 'conntrack-remove', namespace, match }], { onRefusal: 'continue' });
    } catch (error) {
      logger.warn({ containerId, error: errorMessage(error) }, 'flows to a lost backend go on');
    }
  }

  /**
   * The transactions that make a table as it should be; its chains are few and put in place anew. One
   * that is not there is filled after it was made: nobody misses its elements yet.
   */
  #repair(standing: Elements | undefined, wanted: ElementDiff): NftChange[][] {
    const { name: table, chains } = this.#table;
    if (wanted.isEmpty) return standing ? [[{ kind: 'table-remove', table }]] : [];
    if (!standing) return [this.#emptyTable(wanted), wanted.changes(table)];
    const layout = vipTable(wanted.picks.values());
    chains.clear();
    const rules = Object.entries(layout.chains).map(([chain, lines]): NftChange => {
      chains.add(chain);
      return { kind: 'chain-add', table, chain, rules: lines };
    });
    return [[...rules, ...ElementDiff.between(standing, wanted.target()).changes(table)]];
  }

  #emptyTable(wanted: ElementDiff): NftChange[] {
    const { name: table, chains } = this.#table;
    const layout = vipTable(wanted.picks.values());
    chains.clear();
    for (const chain of Object.keys(layout.chains)) chains.add(chain);
    return [{ kind: 'table-replace', table, layout }];
  }

  /** Where the kernel refuses, the table is not what it was thought to be: it is put in place whole. */
  async #run(transactions: NftChange[][], networks: AttachedVips[]): Promise<void> {
    const { kernel, logger, sandbox } = this.#options;
    const { namespace, containerId } = sandbox;
    const commands = transactions
      .filter((changes) => changes.length > 0)
      .map((changes): KernelCommand => ({ op: 'nft', namespace, changes }));
    if (commands.length === 0) return;
    try {
      await kernel.run(commands);
      if (this.#generation !== undefined) this.#generation += commands.length;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#standing = 'unknown';
      this.#generation = undefined;
      logger.warn({ containerId, error: error.message }, 'table of virtual IPs differs; reloading');
      const wanted = this.#wanted(networks);
      const whole = [...this.#emptyTable(wanted), ...wanted.changes(this.#table.name)];
      await kernel.run([{ op: 'nft', namespace, changes: whole }]);
      this.#standing = 'loaded';
    }
  }

  #wanted(networks: AttachedVips[]): ElementDiff {
    const count = networks.reduce((sum, { vips }) => sum + vips.size, 0);
    if (count > VIPS_PER_CONTAINER_MAX) {
      const { name } = this.sandbox;
      const message = `container ${name} would reach more than ${VIPS_PER_CONTAINER_MAX} services`;
      throw new RpcError(Code.RESOURCE_EXHAUSTED, message);
    }
    const wanted = new ElementDiff();
    for (const { vips } of networks) vips.addTo(wanted);
    this.#own.addTo(wanted);
    return wanted;
  }

  /** Stays with the backends that an earlier run of this process has chosen. */
  #adoptOwn(standing: Elements, vips: NetworkVips): void {
    for (const vip of vips.sticky.keys()) {
      const target = standing.get(BalanceSet.BACKENDS)?.get(slotKey(vip, 0));
      if (this.#own.get(vip) || !target) continue;
      this.#own.set(vip, { targets: [target], choice: 'random' }, new ElementDiff());
    }
  }

  /** A backend that is still ready is kept, whoever else has come. */
  #chooseOwn(
    attached: AttachedNetwork,
    vips: NetworkVips,
    changed: readonly string[],
  ): ElementDiff {
    const diff = new ElementDiff();
    for (const vip of changed) {
      const ready = vips.sticky.get(vip);
      const [known] = this.#own.get(vip)?.targets ?? [];
      const client = bareAddress(attached.address);
      const stays = known !== undefined && ready?.includes(known);
      const chosen = stays ? known : rendezvous(client, ready ?? []);
      const targets = chosen === undefined ? [] : [chosen];
      this.#own.set(vip, ready && { targets, choice: 'random' }, diff);
    }
    return diff;
  }
}

/** Backends that stand in one table and not in the other. */
function lost(standing: Elements, wanted: Elements): string[] {
  const still = new Set(wanted.get(BalanceSet.BACKENDS)?.values());
  const before = new Set(standing.get(BalanceSet.BACKENDS)?.values());
  return [...before].filter((address) => !still.has(address));
}
