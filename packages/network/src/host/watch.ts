import { type Cancel, type Clock, type Disk, errorMessage, type Logger } from '@skep/platform';
import { HOST, type NetKernel } from '../kernel/contract.js';
import { HOST_COMPARE_MS, HOST_RETRY_MS } from '../limits.js';
import { Serial } from '../serial.js';
import type { KnownFirewall, Passage, Standing } from './firewall/passage.js';
import { readLegacyTables } from './legacy-tables.js';
import type { HostRules } from './rules.js';
import { hostWarnings, type Surroundings } from './warnings.js';

export interface HostWatchOptions {
  kernel: NetKernel;
  clock: Clock;
  disk: Disk;
  logger: Logger;
  rules: HostRules;
  passage: Passage;
  surroundings: Surroundings;
  /** Our own rules were gone: others of ours may be, too. */
  onFlush: () => void;
}

interface Findings extends Standing {
  closed: ReadonlySet<KnownFirewall>;
  told: string[];
}

/**
 * Looks at the rules of the host, everybody's: puts back what is missing of ours, keeps the way
 * through others' open, and knows what is in the way. While nobody changes any rule it costs one
 * question to the kernel.
 */
export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #serial = new Serial();
  #generation: number | undefined;
  #found: Findings = { chains: [], legacyTables: [], closed: new Set(), told: [] };
  #retryAtMs = 0;
  #cancel: Cancel = () => {};
  #isClosed = false;

  constructor(options: HostWatchOptions) {
    this.#options = options;
  }

  /** Looks around, and again and again from then on. */
  async start(): Promise<void> {
    await this.#serial.run(() => this.#look());
    this.#lookLater();
  }

  /** What stands on the host, as of the last look. */
  get standing(): Standing {
    return this.#found;
  }

  /** Sentences for `docker info`. */
  warnings(): string[] {
    return this.#found.told;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  /** Takes everything of ours out of others' firewalls. */
  async removeAll(): Promise<void> {
    this.close();
    await this.#serial.run(() => this.#options.passage.removeAll(this.#found));
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(HOST_COMPARE_MS, () => {
      void this.#serial.run(() => this.#look()).then(() => this.#lookLater());
    });
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const { kernel, clock, disk, logger, rules, passage, onFlush } = this.#options;
    try {
      const generation = await kernel.rulesGeneration(HOST);
      const legacyTables = await readLegacyTables(disk);
      const isSame = generation === this.#generation;
      if (!isSame && !(await rules.settle())) onFlush();
      const isRetry = passage.hasFailed && clock.monotonic() >= this.#retryAtMs;
      // Rules of the old kind have no number that grows with changes.
      if (isSame && !isRetry && legacyTables.length === 0) return;
      await this.#lookAtOthers(legacyTables);
      this.#retryAtMs = clock.monotonic() + HOST_RETRY_MS;
      this.#generation = generation;
    } catch (error) {
      if (this.#isClosed) return;
      logger.error({ error: errorMessage(error) }, 'rules of this host not compared');
    }
  }

  async #lookAtOthers(legacyTables: string[]): Promise<void> {
    const { kernel, logger, passage, surroundings } = this.#options;
    const chains = await kernel.baseChains(HOST);
    const closed = await passage.settle({ chains, legacyTables });
    const host = await kernel.inspect(HOST);
    const told = hostWarnings({ ...surroundings, chains, host, closed });
    for (const warning of told) if (!this.#found.told.includes(warning)) logger.warn({}, warning);
    this.#found = { chains, legacyTables, closed, told };
  }
}
