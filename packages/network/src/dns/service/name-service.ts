import {
  type Cancel,
  type Clock,
  type Disk,
  errorMessage,
  type Logger,
  type Random,
} from '@skep/platform';
import type { NetKernel } from '../../kernel/contract.js';
import type { AttachedSandbox, SandboxReader } from '../../sandbox/contract.js';
import { Forwarder } from '../forward/forwarder.js';
import { HostServers } from '../forward/host-servers.js';
import { EMBEDDED_SERVER } from '../forward/servers.js';
import { COMPARE_PERIOD_MS } from '../limits.js';
import { NameIndex } from '../names/name-index.js';
import type { NameSockets } from '../sockets/contract.js';
import { ServedContainer } from './served-container.js';

export interface NameServiceOptions {
  kernel: NetKernel;
  sockets: NameSockets;
  /** Name of the nftables table in each container's namespace. */
  table: string;
  clock: Clock;
  disk: Disk;
  random: Random;
  logger: Logger;
}

/** The name server of every container on this node that is on a swarm network. */
export class NameService implements SandboxReader {
  readonly name = 'names';
  readonly nameserver = EMBEDDED_SERVER;
  /** To be told of the tables. */
  readonly index = new NameIndex();
  readonly #options: NameServiceOptions;
  readonly #forwarder: Forwarder;
  readonly #served = new Map<string, ServedContainer>();
  #cancelComparison: Cancel = () => {};
  #isClosed = false;

  constructor(options: NameServiceOptions) {
    this.#options = options;
    this.#forwarder = new Forwarder({ ...options, hostServers: new HostServers(options) });
    this.#compareLater();
  }

  async added(sandbox: AttachedSandbox): Promise<void> {
    const { containerId } = sandbox;
    await this.removed(containerId);
    const { index } = this;
    const options = { ...this.#options, index, forwarder: this.#forwarder };
    const served = new ServedContainer(options, sandbox);
    this.#served.set(containerId, served);
    await served.open();
  }

  async changed(sandbox: AttachedSandbox): Promise<void> {
    const served = this.#served.get(sandbox.containerId);
    if (served) await served.update(sandbox);
    else await this.added(sandbox);
  }

  async removed(containerId: string): Promise<void> {
    this.#served.get(containerId)?.close();
    this.#served.delete(containerId);
  }

  /** Closes all sockets; rules stay, for the next process to take over. */
  close(): void {
    this.#isClosed = true;
    this.#cancelComparison();
    for (const served of this.#served.values()) served.close();
    this.#served.clear();
  }

  #compareLater(): void {
    if (this.#isClosed) return;
    this.#cancelComparison = this.#options.clock.after(COMPARE_PERIOD_MS, () => {
      void this.#compare().then(() => this.#compareLater());
    });
  }

  async #compare(): Promise<void> {
    for (const [containerId, served] of [...this.#served]) {
      try {
        await served.compare();
      } catch (error) {
        const fields = { containerId, error: errorMessage(error) };
        this.#options.logger.warn(fields, 'rules of a name server not compared');
      }
    }
  }
}
