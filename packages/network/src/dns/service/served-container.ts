import type { Random } from '@skep/platform';
import type { NetKernel } from '../../kernel/contract.js';
import { MAIN_TABLE } from '../../kernel/netlink/route.js';
import { KeptTable } from '../../rules/kept-table.js';
import type { AttachedSandbox } from '../../sandbox/contract.js';
import { Serial } from '../../serial.js';
import type { Forwarder } from '../forward/forwarder.js';
import { EMBEDDED_SERVER } from '../forward/servers.js';
import type { NameIndex } from '../names/name-index.js';
import { nameTable } from '../rules.js';
import type { NameListener, NameSockets } from '../sockets/contract.js';
import { ContainerNames } from './container-names.js';

export interface ServedContainerOptions {
  kernel: NetKernel;
  sockets: NameSockets;
  /** Name of the nftables table. */
  table: string;
  random: Random;
  index: NameIndex;
  forwarder: Forwarder;
}

/** One container's name server: its sockets, and the rules that lead to them. */
export class ServedContainer {
  readonly #options: ServedContainerOptions;
  readonly #serial = new Serial();
  #sandbox: AttachedSandbox;
  #names: ContainerNames | undefined;
  #listener: NameListener | undefined;
  #rules: KeptTable | undefined;
  /** Of the namespace's rules when ours were last seen there. */
  #generation = -1;
  #isClosed = false;

  constructor(options: ServedContainerOptions, sandbox: AttachedSandbox) {
    this.#options = options;
    this.#sandbox = sandbox;
  }

  /** Rejects, with nothing left open, when the kernel refuses. */
  async open(): Promise<void> {
    try {
      await this.#serial.run(() => this.#open());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The container is on other networks now. */
  update(sandbox: AttachedSandbox): Promise<void> {
    return this.#serial.run(async () => {
      this.#sandbox = sandbox;
      this.#names?.update(sandbox, await this.#hasWayOut());
    });
  }

  /** Puts the rules back that somebody took away: the container itself may, where it is privileged. */
  compare(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#isClosed || !this.#rules) return;
      const { kernel } = this.#options;
      const { namespace } = this.#sandbox;
      if ((await kernel.rulesGeneration(namespace)) === this.#generation) return;
      await this.#rules.ensure();
      this.#generation = await kernel.rulesGeneration(namespace);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#listener?.close();
    this.#listener = undefined;
    this.#options.forwarder.forget(this.#sandbox.containerId);
  }

  async #open(): Promise<void> {
    const { kernel, sockets, table, index, forwarder, random } = this.#options;
    const { namespace } = this.#sandbox;
    const hasWayOut = await this.#hasWayOut();
    const sandbox = this.#sandbox;
    const names = new ContainerNames({ index, forwarder, random, sandbox, hasWayOut });
    const listener = await sockets.listen(namespace, EMBEDDED_SERVER, names.handler);
    if (this.#isClosed) return listener.close();
    this.#names = names;
    this.#listener = listener;
    this.#rules = new KeptTable({ kernel, namespace, table, layout: nameTable(listener) });
    await this.#rules.ensure();
  }

  /** As the kernel has it: by the container's own table of routes. */
  async #hasWayOut(): Promise<boolean> {
    const { routes } = await this.#options.kernel.inspect(this.#sandbox.namespace);
    return routes.some(
      ({ destination, table }) => destination === 'default' && table === MAIN_TABLE,
    );
  }
}
