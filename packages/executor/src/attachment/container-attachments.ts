import { create } from '@bufbuild/protobuf';
import type { NetworkResources } from '@skep/agent';
import type { AttachmentRequest, SwarmNetworks, TaskEndpoint } from '@skep/containers';
import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { RenameContainerRequestSchema } from '@skep/wire/skep';
import { AttachNetworkRequestSchema, DetachNetworkRequestSchema } from '@skep/wire/swarmkit';
import { askManager, attachTimeout } from './ask-manager.js';
import { Latch } from './latch.js';
import { ATTACH_TIMEOUT_MS, DETACH_PATIENCE_MS } from './limits.js';

export interface ContainerAttachmentsOptions {
  clock: Clock;
  logger: Logger;
  /**
   * The way to a manager, which rejects UNAVAILABLE while there is none (yet); undefined when this node is in
   * no swarm.
   */
  resources(): NetworkResources | undefined;
}

/** A container's address, held by a task that runs nothing. */
interface Attachment {
  containerId: string;
  networkId: string;
  /** The container does not need it any more. */
  readonly released: Latch;
  /** The manager has it back. */
  readonly gone: Latch;
}

/**
 * The addresses of plain containers in the swarm's networks. The engine asks for one and gives it back; a
 * manager answers with a task, whose controller brings the address here and returns it to the manager in the
 * end. That task outlives a restart of this process; what is remembered here does not.
 */
export class ContainerAttachments implements SwarmNetworks {
  readonly #options: ContainerAttachmentsOptions;
  readonly #stop = new AbortController();
  /** By task. */
  readonly #attachments = new Map<string, Attachment>();
  /** Addresses that came before their container knew the task by its id, or that it waits for. */
  readonly #arrived = new Map<string, TaskEndpoint>();
  readonly #awaited = new Map<string, Latch>();
  /** How many requests each container has under way. */
  readonly #asking = new Map<string, number>();

  constructor(options: ContainerAttachmentsOptions) {
    this.#options = options;
  }

  /** Ends what waits: containers that have an address keep it. */
  close(): void {
    this.#stop.abort(new RpcError(Code.CANCELED, 'the engine stops'));
  }

  get isAvailable(): boolean {
    return this.#options.resources() !== undefined;
  }

  async attach(request: AttachmentRequest): Promise<TaskEndpoint> {
    const { containerId, names } = request;
    this.#asking.set(containerId, (this.#asking.get(containerId) ?? 0) + 1);
    try {
      await this.#earlierGone(containerId);
      const taskId = await this.#ask(request);
      const endpoint = await this.#arrival(taskId);
      const [, ...aliases] = names;
      return { ...endpoint, aliases };
    } finally {
      this.#asked(containerId);
    }
  }

  async rename(containerId: string, name: string): Promise<void> {
    const { resources } = this.#options;
    const request = create(RenameContainerRequestSchema, { containerId, name });
    try {
      await resources()?.renameContainer(request);
    } catch (error) {
      // A Docker Engine that manages tells nobody: names go from node to node by gossip there.
      if (!(error instanceof RpcError && error.code === Code.UNIMPLEMENTED)) throw error;
    }
  }

  detach(containerId: string, networkId?: string): void {
    for (const attachment of this.#attachments.values()) {
      const isMeant = networkId === undefined || attachment.networkId === networkId;
      if (attachment.containerId === containerId && isMeant) attachment.released.open();
    }
  }

  /** Whether a container waits for an address. */
  isAsking(containerId: string): boolean {
    return this.#asking.has(containerId);
  }

  /** An address came for a container that asks for one. */
  deliver(taskId: string, containerId: string, endpoint: TaskEndpoint): void {
    this.adopt(taskId, containerId, endpoint.networkId);
    this.#arrived.set(taskId, endpoint);
    this.#awaited.get(taskId)?.open();
  }

  /** Holds an address that a container has been found to use. */
  adopt(taskId: string, containerId: string, networkId: string): void {
    if (this.#attachments.has(taskId)) return;
    const latches = { released: new Latch(), gone: new Latch() };
    this.#attachments.set(taskId, { containerId, networkId, ...latches });
  }

  /** Whether the container uses the address of this task, as far as is known here. */
  isHeld(taskId: string): boolean {
    return this.#attachments.get(taskId)?.released.isOpen === false;
  }

  /** Whether another task holds an address for the same container in the same network. */
  isReplaced(taskId: string): boolean {
    const own = this.#attachments.get(taskId);
    return [...this.#attachments.values()].some(
      (other) =>
        other !== own &&
        other.containerId === own?.containerId &&
        other.networkId === own.networkId &&
        !other.released.isOpen,
    );
  }

  /** Resolves when the container does not need its address any more; at once for one not known here. */
  async released(taskId: string): Promise<void> {
    await this.#attachments.get(taskId)?.released.opened;
  }

  /** Lets go of an address without its container having said so. */
  release(taskId: string): void {
    this.#attachments.get(taskId)?.released.open();
  }

  /**
   * Returns an address to the manager; no error when it has it already. Rejects UNAVAILABLE while there is no
   * manager.
   */
  async giveBack(taskId: string): Promise<void> {
    const resources = this.#options.resources();
    const request = create(DetachNetworkRequestSchema, { attachmentId: taskId });
    try {
      // Out of the swarm, there is nobody left to whom it could matter.
      await resources?.detachNetwork(request);
    } catch (error) {
      if (!(error instanceof RpcError && error.code === Code.NOT_FOUND)) throw error;
    }
    this.forget(taskId);
  }

  forget(taskId: string): void {
    this.#attachments.get(taskId)?.gone.open();
    this.#attachments.delete(taskId);
    this.#arrived.delete(taskId);
  }

  async #ask({ address, containerId, names, network }: AttachmentRequest): Promise<string> {
    const { clock, resources } = this.#options;
    const addresses = address === '' ? [] : [address];
    const config = { target: network, addresses, aliases: names };
    const request = create(AttachNetworkRequestSchema, { config, containerId });
    const ask = async () => {
      const manager = resources();
      if (!manager) throw new RpcError(Code.NOT_FOUND, `network ${network} not found`);
      return manager.attachNetwork(request);
    };
    const { signal } = this.#stop;
    const { attachmentId } = await askManager({ clock, network, ask, signal });
    return attachmentId;
  }

  async #arrival(taskId: string): Promise<TaskEndpoint> {
    if (!this.#arrived.has(taskId)) {
      const latch = new Latch();
      this.#awaited.set(taskId, latch);
      await this.#within(ATTACH_TIMEOUT_MS, latch.opened);
      this.#awaited.delete(taskId);
    }
    const endpoint = this.#arrived.get(taskId);
    this.#arrived.delete(taskId);
    if (endpoint) return endpoint;
    this.#giveUp(taskId);
    throw attachTimeout();
  }

  /** Should its address come all the same, nobody takes it, and its task fails. */
  #giveUp(taskId: string): void {
    this.giveBack(taskId).catch((error: unknown) => {
      const fields = { taskId, error: errorMessage(error) };
      this.#options.logger.warn(fields, 'an address that came too late was not given back');
    });
  }

  /** A container that is started again may want the very address it has just given back. */
  async #earlierGone(containerId: string): Promise<void> {
    const leaving = [...this.#attachments.values()]
      .filter((one) => one.containerId === containerId && one.released.isOpen)
      .map(({ gone }) => gone.opened);
    if (leaving.length > 0) await this.#within(DETACH_PATIENCE_MS, Promise.all(leaving));
  }

  /** A request is over: what came for the container and was not taken has no use. */
  #asked(containerId: string): void {
    const left = (this.#asking.get(containerId) ?? 1) - 1;
    if (left > 0) {
      this.#asking.set(containerId, left);
      return;
    }
    this.#asking.delete(containerId);
    for (const taskId of this.#arrived.keys()) {
      const attachment = this.#attachments.get(taskId);
      if (attachment?.containerId !== containerId) continue;
      this.#arrived.delete(taskId);
      attachment.released.open();
    }
  }

  async #within(limitMs: number, work: Promise<unknown>): Promise<void> {
    const ended = new AbortController();
    const either = AbortSignal.any([ended.signal, this.#stop.signal]);
    const late = this.#options.clock.sleep(limitMs, either).catch(() => {});
    await Promise.race([work, late]);
    ended.abort();
    this.#stop.signal.throwIfAborted();
  }
}
