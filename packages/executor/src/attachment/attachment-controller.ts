import {
  type OperationContext,
  type TaskController,
  type TaskLogEntry,
  TemporaryError,
} from '@skep/agent';
import type { TaskEndpoint } from '@skep/containers';
import { errorMessage, type Logger, RpcError } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import { unlessMissing } from '../controller/engine-errors.js';
import type { SharedRoom } from '../controller/room.js';
import { overlayNetworkIds, taskEndpoints } from '../request/networks.js';
import { unlessAborted } from '../waiting.js';
import type { ContainerAttachments } from './container-attachments.js';

export interface AttachmentControllerOptions {
  room: Pick<SharedRoom, 'attachments' | 'engine' | 'logger'>;
  containers: ContainerAttachments;
  task: TaskObject;
}

/**
 * Brings a container that is no task the address it asked for, holds it as long as the container uses it, and
 * returns it to the manager then.
 */
export class AttachmentController implements TaskController {
  readonly #options: AttachmentControllerOptions;
  readonly #logger: Logger;
  readonly #containerId: string;

  constructor(options: AttachmentControllerOptions) {
    const { runtime } = options.task.spec;
    if (runtime.case !== 'attachment') throw new Error('dockerexec: unsupported runtime');
    this.#options = options;
    this.#containerId = runtime.value.containerId;
    this.#logger = options.room.logger.child({ taskId: options.task.id });
  }

  async update(): Promise<void> {}

  /** The container finds the network on this node. */
  async prepare({ signal }: OperationContext): Promise<void> {
    const { room, task } = this.#options;
    await room.attachments.wait(overlayNetworkIds(task), signal);
  }

  async start(): Promise<void> {
    const { containers, task } = this.#options;
    if (containers.isAsking(this.#containerId)) {
      containers.deliver(task.id, this.#containerId, this.#endpoint);
    } else if (!(await this.#isInUse())) {
      containers.forget(task.id);
      throw new Error(`container ${this.#containerId} does not wait for an address any more`);
    }
  }

  async wait({ signal }: OperationContext): Promise<void> {
    const { containers, task } = this.#options;
    if (!containers.isHeld(task.id)) await this.#isInUse();
    await unlessAborted(signal, containers.released(task.id));
    await this.#giveBack();
  }

  async shutdown(): Promise<void> {
    await this.#evict();
  }

  async terminate(): Promise<void> {
    await this.#evict();
  }

  async remove(): Promise<void> {
    await this.#evict();
    this.#options.containers.forget(this.#options.task.id);
  }

  async close(): Promise<void> {}

  containerStatus(): undefined {
    return undefined;
  }

  portStatus(): undefined {
    return undefined;
  }

  async *logs(): AsyncIterable<TaskLogEntry> {}

  get #endpoint(): TaskEndpoint {
    const [endpoint] = taskEndpoints(this.#options.task);
    if (!endpoint) throw new Error('an attachment without an address');
    return endpoint;
  }

  /** Whether the container runs with this address; takes it over when it does. */
  async #isInUse(): Promise<boolean> {
    const { containers, room, task } = this.#options;
    const { address, networkId } = this.#endpoint;
    // First, so that an end of the container in between is not missed.
    containers.adopt(task.id, this.#containerId, networkId);
    const found = await unlessMissing(() => room.engine.inspect(this.#containerId));
    const endpoints = Object.values(found?.NetworkSettings.Networks ?? {});
    const isInUse = endpoints.some(
      ({ IPAddress, NetworkID }) =>
        NetworkID === networkId && IPAddress === address.replace(/\/.*/, ''),
    );
    if (!isInUse) containers.release(task.id);
    return isInUse;
  }

  async #giveBack(): Promise<void> {
    try {
      await this.#options.containers.giveBack(this.#options.task.id);
    } catch (error) {
      // Whatever keeps a manager from taking it back, it must not be lost.
      if (error instanceof RpcError) {
        throw new TemporaryError(errorMessage(error), { cause: error });
      }
      throw error;
    }
  }

  /** The swarm takes the address away: the container may go on, without this network. */
  async #evict(): Promise<void> {
    const { containers, room, task } = this.#options;
    if (!containers.isHeld(task.id)) return;
    const isReplaced = containers.isReplaced(task.id);
    containers.release(task.id);
    if (isReplaced) return; // it was started again, and has asked anew
    try {
      await room.engine.disconnect(this.#containerId, this.#endpoint.networkId);
    } catch (error) {
      const fields = { containerId: this.#containerId, error: errorMessage(error) };
      this.#logger.info(fields, 'a container was not taken off a network that is gone');
    }
  }
}
