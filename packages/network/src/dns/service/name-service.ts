import type { Clock, Disk, Logger, Random } from '@skep/platform';
import type { NetKernel } from '../../kernel/contract.js';
import { MAIN_TABLE } from '../../kernel/netlink/route.js';
import type { AttachedSandbox, SandboxReader } from '../../sandbox/contract.js';
import { Serial } from '../../serial.js';
import { Forwarder } from '../forward/forwarder.js';
import { HostServers } from '../forward/host-servers.js';
import { EMBEDDED_SERVER } from '../forward/servers.js';
import { NameIndex } from '../names/name-index.js';
import { nameTable } from '../rules.js';
import type { NameListener, NameSockets } from '../sockets/contract.js';
import { ContainerNames } from './container-names.js';

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

/** One container's sockets, and what becomes of it one after the other. */
interface Served {
  serial: Serial;
  names: ContainerNames | undefined;
  listener: NameListener | undefined;
}

/** The name server of every container on this node that is on a swarm network. */
export class NameService implements SandboxReader {
  readonly name = 'names';
  readonly nameserver = EMBEDDED_SERVER;
  /** To be told of the tables. */
  readonly index = new NameIndex();
  readonly #options: NameServiceOptions;
  readonly #forwarder: Forwarder;
  readonly #served = new Map<string, Served>();

  constructor(options: NameServiceOptions) {
    this.#options = options;
    this.#forwarder = new Forwarder({ ...options, hostServers: new HostServers(options) });
  }

  async added(sandbox: AttachedSandbox): Promise<void> {
    const served = { serial: new Serial(), names: undefined, listener: undefined };
    this.#close(sandbox.containerId);
    this.#served.set(sandbox.containerId, served);
    await served.serial.run(() => this.#open(sandbox, served));
  }

  async changed(sandbox: AttachedSandbox): Promise<void> {
    const served = this.#served.get(sandbox.containerId);
    if (!served) return this.added(sandbox);
    await served.serial.run(async () => {
      const hasWayOut = await this.#hasWayOut(sandbox);
      served.names?.update(sandbox, hasWayOut);
    });
  }

  async removed(containerId: string): Promise<void> {
    this.#close(containerId);
  }

  /** Closes all sockets; rules stay, for the next process to take over. */
  close(): void {
    for (const containerId of [...this.#served.keys()]) this.#close(containerId);
  }

  async #open(sandbox: AttachedSandbox, served: Served): Promise<void> {
    const { kernel, sockets, table, random } = this.#options;
    const { containerId, namespace } = sandbox;
    const names = new ContainerNames({
      index: this.index,
      forwarder: this.#forwarder,
      random,
      sandbox,
      hasWayOut: await this.#hasWayOut(sandbox),
    });
    const listener = await sockets.listen(namespace, EMBEDDED_SERVER, names.handler);
    // Removed, or added anew, while its sockets were opened.
    if (this.#served.get(containerId) !== served) return listener.close();
    served.listener = listener;
    served.names = names;
    const change = { kind: 'table-replace', table, layout: nameTable(listener) } as const;
    try {
      await kernel.run([{ op: 'nft', namespace, changes: [change] }]);
    } catch (error) {
      if (this.#served.get(containerId) === served) this.#close(containerId);
      throw error;
    }
  }

  /** As the kernel has it: by the container's own table of routes. */
  async #hasWayOut({ namespace }: AttachedSandbox): Promise<boolean> {
    const { routes } = await this.#options.kernel.inspect(namespace);
    return routes.some(
      ({ destination, table }) => destination === 'default' && table === MAIN_TABLE,
    );
  }

  #close(containerId: string): void {
    this.#served.get(containerId)?.listener?.close();
    this.#served.delete(containerId);
    this.#forwarder.forget(containerId);
  }
}
