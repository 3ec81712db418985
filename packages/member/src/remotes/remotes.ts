import { join } from 'node:path';
import { Code, type Disk, errorMessage, type Logger, type Random, RpcError } from '@skep/platform';
import type { WeightedPeer } from '@skep/wire/swarmkit';
import { MANAGERS_MAX, OBSERVATION_WEIGHT, SMOOTHING, WEIGHT_BIAS, WEIGHT_MAX } from './limits.js';
import { decodeManagers, encodeManagers, loadManagers } from './manager-list.js';

/** A manager of the swarm. */
export interface RemoteManager {
  /** Empty for one that is only known by its address, from `swarm join`. */
  nodeId: string;
  /** `ip:port`. */
  address: string;
}

export interface RemotesOptions {
  disk: Disk;
  /** The swarm's directory. */
  directory: string;
  random: Random;
  logger: Logger;
}

export interface ChooseOptions {
  /** Node ids and addresses not to choose. */
  exclude?: readonly string[];
  /** Address not to choose where there is another. */
  avoid?: string | undefined;
}

const FILE = 'managers.json';

/**
 * The managers this node knows, each with a weight made of its experiences with it, and the
 * choice of one of them. The list is kept over restarts; the weights are not.
 */
export class Remotes {
  readonly #options: RemotesOptions;
  readonly #path: string;
  readonly #known = new Map<string, { manager: RemoteManager; weight: number }>();
  #saved = '';
  #saving: Promise<void> | undefined;

  private constructor(options: RemotesOptions) {
    this.#options = options;
    this.#path = join(options.directory, FILE);
  }

  /** With the managers of the last run. A list that cannot be understood is logged and left out. */
  static async open(options: RemotesOptions): Promise<Remotes> {
    const remotes = new Remotes(options);
    const text = await loadManagers(options.disk, remotes.#path);
    if (text === undefined) return remotes;
    try {
      for (const manager of decodeManagers(text)) remotes.#observe(manager, OBSERVATION_WEIGHT);
      remotes.#saved = text;
    } catch (error) {
      const fields = { path: remotes.#path, error: errorMessage(error) };
      options.logger.error(fields, 'cannot read the list of managers');
    }
    return remotes;
  }

  /** By node id, then address. */
  get managers(): readonly RemoteManager[] {
    return [...this.#known.values()].map(({ manager }) => manager).sort(compareManagers);
  }

  /** The weight of a manager, -256 to 256; undefined for one that is not known. */
  weightOf(manager: RemoteManager): number | undefined {
    return this.#known.get(keyOf(manager))?.weight;
  }

  /**
   * One of the managers, by chance and weight: those with bad experiences only when there are no
   * others. Throws UNAVAILABLE when none is left to choose.
   */
  choose({ exclude = [], avoid }: ChooseOptions = {}): RemoteManager {
    const allowed = [...this.#known.values()].filter(
      ({ manager }) => !exclude.includes(manager.nodeId) && !exclude.includes(manager.address),
    );
    const others = allowed.filter(({ manager }) => manager.address !== avoid);
    const candidates = others.length > 0 ? others : allowed;
    const weights = candidates.map(({ weight }) => Math.max(0, weight) + WEIGHT_BIAS);
    let left = this.#options.random.float() * weights.reduce((sum, weight) => sum + weight, 0);
    const index = weights.findIndex((weight) => (left -= weight) < 0);
    const chosen = candidates.at(index); // the last one where rounding left a rest
    if (!chosen) throw new RpcError(Code.UNAVAILABLE, 'no other manager of the swarm is known');
    return chosen.manager;
  }

  /**
   * A call to a manager went well, or not. Nothing happens for one that is not known any more;
   * one that was known by its address when it was called may have its name by now.
   */
  observe({ address, nodeId }: RemoteManager, isGood: boolean): void {
    for (const { manager } of this.#known.values()) {
      const isMeant = manager.address === address && (!nodeId || manager.nodeId === nodeId);
      if (isMeant) this.#observe(manager, isGood ? OBSERVATION_WEIGHT : -OBSERVATION_WEIGHT);
    }
  }

  /** Remembers managers by their addresses: those that `swarm join` names. */
  add(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) this.#observe({ nodeId: '', address }, OBSERVATION_WEIGHT);
    return this.#save();
  }

  /**
   * Takes over the managers of a session message: others are forgotten. A list without any is
   * left out of account, since a node without managers could never come back. Resolves when the
   * list is on disk; a disk that fails is logged.
   */
  update(peers: readonly WeightedPeer[]): Promise<void> {
    const named = peers.slice(0, MANAGERS_MAX).filter(({ peer }) => peer?.addr);
    if (named.length === 0) return Promise.resolve();
    const kept = new Set<string>();
    for (const { peer, weight } of named) {
      const manager = { nodeId: peer!.nodeId, address: peer!.addr };
      kept.add(keyOf(manager));
      this.#observe(manager, Number(weight));
    }
    for (const key of [...this.#known.keys()]) {
      if (!kept.has(key)) this.#known.delete(key);
    }
    return this.#save();
  }

  /** Resolves when what was remembered is on disk. */
  async flushed(): Promise<void> {
    await this.#saving;
  }

  /** An average that forgets: each observation counts half of what all before it do together. */
  #observe(manager: RemoteManager, observed: number): void {
    const key = keyOf(manager);
    const before = this.#known.get(key)?.weight ?? 0;
    const weight = Math.ceil(clip(SMOOTHING * clip(observed) + (1 - SMOOTHING) * before));
    this.#known.set(key, { manager, weight });
  }

  /** One write at a time, always of the latest list. */
  #save(): Promise<void> {
    this.#saving ??= this.#write().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { disk, logger } = this.#options;
    for (;;) {
      const text = encodeManagers(this.managers);
      if (text === this.#saved) return;
      try {
        await disk.writeFileAtomic(this.#path, Buffer.from(text), 0o600);
      } catch (error) {
        // The next message is another try; until then only a restart would miss it.
        const fields = { path: this.#path, error: errorMessage(error) };
        logger.error(fields, 'cannot write the list of managers');
        return;
      }
      this.#saved = text;
    }
  }
}

function keyOf({ nodeId, address }: RemoteManager): string {
  return `${nodeId} ${address}`;
}

function compareManagers(left: RemoteManager, right: RemoteManager): number {
  return keyOf(left) < keyOf(right) ? -1 : 1;
}

function clip(weight: number): number {
  return Math.max(-WEIGHT_MAX, Math.min(WEIGHT_MAX, weight));
}
