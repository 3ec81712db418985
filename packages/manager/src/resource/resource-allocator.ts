import { create } from '@bufbuild/protobuf';
import { type Clock, newId, type Random } from '@skep/platform';
import type { ReadView, Store } from '@skep/store';
import { completeObject, type NetworkObject, type TaskObject, timestampFromMs } from '@skep/wire';
import {
  type RenameContainerRequest,
  type RenameContainerResponse,
  RenameContainerResponseSchema,
} from '@skep/wire/skep';
import {
  type AttachNetworkRequest,
  type AttachNetworkResponse,
  AttachNetworkResponseSchema,
  type DetachNetworkRequest,
  type DetachNetworkResponse,
  DetachNetworkResponseSchema,
  type NetworkAttachmentConfig,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import type { ResourceAllocatorService } from '../contract.js';
import {
  failedPrecondition,
  invalidArgument,
  notFound,
  permissionDenied,
} from '../control/errors.js';
import { allocationOf } from './allocation.js';
import { ATTACHMENT_WAIT_MS } from './limits.js';

export interface ResourceAllocatorOptions {
  store: Store;
  clock: Clock;
  random: Random;
}

/**
 * Attaches plain containers to the swarm's networks. An attachment is a task that runs nothing: it is given
 * its addresses as any task is, and reaches its node with the assignments (wire.md 3.9).
 */
export class ResourceAllocator implements ResourceAllocatorService {
  readonly #options: ResourceAllocatorOptions;

  constructor(options: ResourceAllocatorOptions) {
    this.#options = options;
  }

  async attachNetwork(
    nodeId: string,
    { config, containerId }: AttachNetworkRequest,
  ): Promise<AttachNetworkResponse> {
    if (!config) throw invalidArgument();
    const { id: attachmentId } = await this.#options.store.update((tx) => {
      const network = findNetwork(tx, config.target);
      if (!network) throw notFound('network', config.target);
      if (!network.spec.attachable) {
        throw permissionDenied(`network ${config.target} not manually attachable`);
      }
      for (const { id, spec } of attachmentsOf(tx, nodeId, containerId)) {
        if (spec.networks[0]?.target === network.id) tx.remove('task', id);
      }
      return tx.create('task', this.#attachment(nodeId, containerId, network.id, config));
    });
    await this.#mustBeAllocated(attachmentId);
    return create(AttachNetworkResponseSchema, { attachmentId });
  }

  /** Who asks for an address that cannot be had is told so, and nothing of it stays. */
  async #mustBeAllocated(attachmentId: string): Promise<void> {
    const { store } = this.#options;
    const allocation = await allocationOf(this.#options, attachmentId, ATTACHMENT_WAIT_MS);
    if (allocation.kind === 'gone') throw notFound('attachment', attachmentId);
    if (allocation.kind !== 'refused') return;
    await store.update((tx) => {
      if (tx.get('task', attachmentId)) tx.remove('task', attachmentId);
    });
    throw failedPrecondition(allocation.reason);
  }

  async detachNetwork(
    nodeId: string,
    { attachmentId }: DetachNetworkRequest,
  ): Promise<DetachNetworkResponse> {
    if (!attachmentId) throw invalidArgument();
    await this.#options.store.update((tx) => {
      const task = tx.get('task', attachmentId);
      if (task?.spec.runtime.case !== 'attachment') throw notFound('attachment', attachmentId);
      if (task.nodeId !== nodeId) {
        throw permissionDenied(`attachment ${attachmentId} doesn't belong to this node`);
      }
      tx.remove('task', attachmentId);
    });
    return create(DetachNetworkResponseSchema);
  }

  /** The names of an attachment begin with the container's own. */
  async renameContainer(
    nodeId: string,
    { containerId, name }: RenameContainerRequest,
  ): Promise<RenameContainerResponse> {
    if (!containerId || !name) throw invalidArgument();
    const renamed = <T extends { aliases: string[] }>(one: T): T => {
      return { ...one, aliases: [name, ...one.aliases.slice(1)] };
    };
    await this.#options.store.update((tx) => {
      for (const task of attachmentsOf(tx, nodeId, containerId)) {
        const networks = task.networks.map(renamed);
        const spec = { ...task.spec, networks: task.spec.networks.map(renamed) };
        tx.update('task', { ...task, networks, spec });
      }
    });
    return create(RenameContainerResponseSchema);
  }

  #attachment(
    nodeId: string,
    containerId: string,
    networkId: string,
    { addresses, aliases }: NetworkAttachmentConfig,
  ): TaskObject {
    const { clock, random } = this.#options;
    const task = create(TaskSchema, {
      id: newId(random),
      nodeId,
      spec: {
        runtime: { case: 'attachment', value: { containerId } },
        networks: [{ target: networkId, addresses, aliases }],
      },
      status: {
        state: TaskState.NEW,
        timestamp: timestampFromMs(clock.now()),
        message: 'created',
      },
      desiredState: TaskState.RUNNING,
    });
    return completeObject('task', task);
  }
}

/**
 * What a container holds in a network: it has one address in each, so that one it asks for takes the place of
 * the one before, which a node that was restarted had no time to give back.
 */
function attachmentsOf(view: ReadView, nodeId: string, containerId: string): TaskObject[] {
  return [...view.tasksOfNode(nodeId)].filter(
    ({ spec: { runtime } }) =>
      runtime.case === 'attachment' && runtime.value.containerId === containerId,
  );
}

/** By id, else by name. */
function findNetwork(view: ReadView, target: string): NetworkObject | undefined {
  return view.get('network', target) ?? view.named('network', target);
}
