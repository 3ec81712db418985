import { isDeepStrictEqual } from 'node:util';
import { errorMessage, invariant, type Logger } from '@skep/platform';
import { HOST, type KernelCommand, type NetKernel } from '../kernel/contract.js';
import type { Names } from '../names.js';
import type { HeldPort, PortHolder } from '../ports/holder.js';
import { ANY_ADDRESS, HostSet } from '../rules/host-table.js';
import type { NftElement } from '../rules/nft.js';
import { bareAddress } from '../sandbox/plan.js';
import { Serial } from '../serial.js';
import { type Backend, Balancer, type BalancerEffect } from './balancer.js';
import type { IngressAttachment, PublishedTask, ServicePublisher } from './contract.js';
import {
  type LinkAddresses,
  planIngressNamespace,
  planIngressRemoval,
} from './ingress-namespace.js';
import type { PublishStore } from './store.js';

export interface MeshPublisherOptions {
  kernel: NetKernel;
  names: Names;
  store: PublishStore;
  holder: PortHolder;
  logger: Logger;
  addresses: LinkAddresses;
  mtuBytes: number;
}

/** The routing mesh of this node: host → ingress namespace → one of the local tasks. */
export class MeshPublisher implements ServicePublisher {
  readonly #options: MeshPublisherOptions;
  readonly #serial = new Serial();
  readonly #tasks = new Map<string, PublishedTask>();
  readonly #held = new Map<string, HeldPort>();
  /** Ports of the mesh that another program of the host has, too. */
  readonly #shadowed = new Set<string>();
  readonly #balancer: Balancer;
  /** The kernel refused a change, and its tables have not been put right since. */
  #doubtful = false;
  #ingress: IngressAttachment | undefined;
  #recovered = false;

  constructor(options: MeshPublisherOptions) {
    this.#options = options;
    this.#balancer = new Balancer(options.names.table);
  }

  get ingress(): IngressAttachment | undefined {
    return this.#ingress;
  }

  activate(task: PublishedTask): Promise<void> {
    return this.#change(() => this.#activate(task));
  }

  deactivate(taskId: string): Promise<void> {
    return this.#change(() => this.#deactivate(taskId));
  }

  configureNode(ingress: IngressAttachment | undefined): Promise<void> {
    return this.#change(() => this.#configure(ingress));
  }

  #change(work: () => Promise<void>): Promise<void> {
    invariant(this.#recovered, "the network is restored before the mesh's first change");
    return this.#serial.run(work);
  }

  async restored(liveTaskIds: readonly string[]): Promise<void> {
    const live = new Set(liveTaskIds);
    for (const taskId of [...this.#tasks.keys()])
      if (!live.has(taskId)) await this.deactivate(taskId);
  }

  /** Ports the host's table must hand to the ingress namespace. */
  publishedElements(): NftElement[] {
    return this.#ingress ? this.#balancer.ports().map((key) => ({ key })) : [];
  }

  /** Sources that mean a task, not a client, in the ingress namespace. */
  ambiguousElements(): NftElement[] {
    return this.#ingress ? [{ key: this.#ingress.subnet }] : [];
  }

  warnings(): string[] {
    return [...this.#shadowed].map(
      (port) => `published port ${port} hides another program of this host that listens on it`,
    );
  }

  /**
   * Reads what the daemon before this one had programmed, and makes the ingress namespace whole.
   */
  async recover(): Promise<void> {
    const { ingress, tasks } = await this.#options.store.load();
    this.#recovered = true;
    this.#ingress = ingress;
    for (const task of tasks) this.#remember(task);
    if (!ingress) return this.#options.kernel.run(this.#removal(), { onRefusal: 'continue' });
    if (!(await this.#isIntact())) await this.#build(ingress);
    await this.#loadTable();
    await this.#holdAll();
  }

  /** Lets go of what this process holds; the kernel goes on balancing. */
  releasePorts(): void {
    for (const key of [...this.#held.keys()]) this.#release(key);
  }

  async removeAll(): Promise<void> {
    this.releasePorts();
    await this.#options.kernel.run(this.#removal(), { onRefusal: 'continue' });
    await this.#options.store.removeAll();
  }

  async #activate(task: PublishedTask): Promise<void> {
    const known = this.#tasks.get(task.taskId);
    if (known && isDeepStrictEqual(known, task)) return;
    if (known) await this.#deactivate(task.taskId);
    await this.#options.store.saveTask(task);
    const opened: string[] = [];
    await this.#program(() =>
      this.#remember(task).flatMap(({ backend, effect }) => {
        const commands = this.#ingressCommand(effect);
        if (effect.port !== 'opened') return commands;
        opened.push(keyOf(backend));
        return [...commands, ...this.#openPort(backend)];
      }),
    );
    if (this.#ingress) for (const key of opened) await this.#hold(key);
  }

  async #deactivate(taskId: string): Promise<void> {
    const task = this.#tasks.get(taskId);
    if (!task) return;
    this.#tasks.delete(taskId);
    const closed: string[] = [];
    await this.#program(() =>
      backendsOf(task).flatMap((backend) => {
        const effect = this.#balancer.remove(backend);
        const commands = this.#ingressCommand(effect);
        if (effect.port !== 'closed') return commands;
        closed.push(keyOf(backend));
        // The host stops handing connections over before nobody is there to take them.
        return [this.#publishedCommand('elements-remove', keyOf(backend)), ...commands];
      }),
    );
    for (const key of closed) this.#release(key);
    await this.#options.store.removeTask(taskId);
  }

  async #configure(ingress: IngressAttachment | undefined): Promise<void> {
    if (isDeepStrictEqual(ingress, this.#ingress)) return;
    const { kernel, store, logger } = this.#options;
    const keys = this.#balancer.ports();
    if (this.#ingress) {
      const withdrawn = keys.map((key) => this.#publishedCommand('elements-remove', key));
      const ambiguous = this.#ambiguousCommand('elements-remove', this.#ingress);
      const commands = [...withdrawn, ambiguous, ...this.#removal()];
      await kernel.run(commands, { onRefusal: 'continue' });
      this.releasePorts();
    }
    this.#ingress = undefined;
    await store.saveIngress(ingress);
    if (!ingress) return;
    await this.#build(ingress);
    this.#ingress = ingress;
    await this.#loadTable();
    await kernel.run([
      this.#ambiguousCommand('elements-add', ingress),
      ...keys.map((key) => this.#publishedCommand('elements-add', key)),
    ]);
    await this.#holdAll();
    logger.info(
      { network: ingress.networkName, address: ingress.nodeAddress },
      'routing mesh ready',
    );
  }

  /** Adds a task's backends to the balancing. */
  #remember(task: PublishedTask): { backend: Backend; effect: BalancerEffect }[] {
    this.#tasks.set(task.taskId, task);
    return backendsOf(task).map((backend) => ({ backend, effect: this.#balancer.add(backend) }));
  }

  /**
   * Runs what a change of the balancing asks of the kernel, in one round trip. When the kernel
   * refuses, its tables are not what they were thought to be: they are put in place whole.
   */
  async #program(plan: () => KernelCommand[]): Promise<void> {
    const commands = plan();
    if (!this.#ingress) return;
    if (this.#doubtful) return this.#reload();
    try {
      await this.#options.kernel.run(commands);
    } catch (error) {
      this.#doubtful = true;
      this.#options.logger.warn(
        { error: errorMessage(error) },
        'balancing tables differ; reloading',
      );
      await this.#reload();
    }
  }

  async #reload(): Promise<void> {
    await this.#loadTable();
    const { table } = this.#options.names;
    const elements = this.publishedElements();
    const set = HostSet.PUBLISHED;
    await this.#options.kernel.run([
      {
        op: 'nft',
        namespace: HOST,
        changes: [
          { kind: 'set-flush', table, set },
          { kind: 'elements-add', table, set, elements },
        ],
      },
    ]);
    this.#doubtful = false;
  }

  async #loadTable(): Promise<void> {
    const namespace = this.#options.names.ingressNamespace;
    await this.#options.kernel.run([{ op: 'nft', namespace, changes: this.#balancer.rebuild() }]);
  }

  async #build(ingress: IngressAttachment): Promise<void> {
    const { kernel, names, addresses, mtuBytes } = this.#options;
    await kernel.run(this.#removal(), { onRefusal: 'continue' });
    await kernel.run(planIngressNamespace(names, ingress, addresses, mtuBytes));
  }

  async #isIntact(): Promise<boolean> {
    const { kernel, names, addresses } = this.#options;
    const ingress = this.#ingress;
    try {
      const host = await kernel.inspect(HOST);
      const inner = await kernel.inspect(names.ingressNamespace);
      const has = (view: typeof host, address: string | undefined) =>
        view.addresses.some((other) => other.address === address);
      return (
        has(host, addresses.host) && has(inner, addresses.inner) && has(inner, ingress?.nodeAddress)
      );
    } catch {
      return false; // no such namespace
    }
  }

  #removal(): KernelCommand[] {
    return planIngressRemoval(this.#options.names);
  }

  #ingressCommand(effect: BalancerEffect): KernelCommand[] {
    if (effect.changes.length === 0) return [];
    const namespace = this.#options.names.ingressNamespace;
    return [{ op: 'nft', namespace, changes: effect.changes }];
  }

  #publishedCommand(kind: 'elements-add' | 'elements-remove', key: string): KernelCommand {
    const { table } = this.#options.names;
    const change = { kind, table, set: HostSet.PUBLISHED, elements: [{ key }] };
    return { op: 'nft', namespace: HOST, changes: [change] };
  }

  /**
   * A client with an address like a task's is answered over the host, not on the ingress network.
   */
  #ambiguousCommand(
    kind: 'elements-add' | 'elements-remove',
    ingress: IngressAttachment,
  ): KernelCommand {
    const { table } = this.#options.names;
    const change = { kind, table, set: HostSet.AMBIGUOUS, elements: [{ key: ingress.subnet }] };
    return { op: 'nft', namespace: HOST, changes: [change] };
  }

  #openPort(backend: Backend): KernelCommand[] {
    const { protocol, publishedPort: originPort } = backend;
    const published = this.#publishedCommand('elements-add', keyOf(backend));
    if (protocol !== 'udp') return [published];
    return [
      published,
      { op: 'conntrack-remove', namespace: HOST, match: { protocol, originPort } },
    ];
  }

  async #holdAll(): Promise<void> {
    for (const key of this.#balancer.ports()) await this.#hold(key);
  }

  async #hold(key: string): Promise<void> {
    const [protocol, port] = key.split(' . ');
    try {
      const kind = protocol as Backend['protocol'];
      const held = await this.#options.holder.hold(kind, ANY_ADDRESS, Number(port));
      this.#held.get(key)?.release();
      this.#held.set(key, held);
    } catch (error) {
      // As under Docker, the service goes first; the program that listens there is hidden.
      this.#shadowed.add(`${port}/${protocol}`);
      this.#options.logger.warn({ port: key, error: errorMessage(error) }, 'published port in use');
    }
  }

  #release(key: string): void {
    const [protocol, port] = key.split(' . ');
    this.#held.get(key)?.release();
    this.#held.delete(key);
    this.#shadowed.delete(`${port}/${protocol}`);
  }
}

function keyOf(backend: Backend): string {
  return `${backend.protocol} . ${backend.publishedPort}`;
}

function backendsOf(task: PublishedTask): Backend[] {
  const address = task.address.includes('/') ? bareAddress(task.address) : task.address;
  return task.ports.map(({ protocol, publishedPort, targetPort }) => ({
    protocol,
    publishedPort,
    address,
    targetPort,
  }));
}
