import type { Dependencies, Executor, TaskController } from '@skep/agent';
import type { TaskTraffic } from '@skep/network';
import type { Clock, Disk, Logger } from '@skep/platform';
import { type NodeObject, type TaskObject, templateData } from '@skep/wire';
import type { ContainerSpec, Network, NodeDescription } from '@skep/wire/swarmkit';
import { AttachmentController } from './attachment/attachment-controller.js';
import type { ContainerAttachments } from './attachment/container-attachments.js';
import { ContainerEvents } from './controller/container-events.js';
import { ContainerController } from './controller/controller.js';
import type { SharedRoom, TaskEngine, TaskImages, TaskVolumes } from './controller/room.js';
import { ImagePuller } from './image/puller.js';
import type { ImagePeers } from './image/route.js';
import { removeLeftovers } from './leftovers.js';
import { DEFAULT_EXECUTOR_LIMITS, type ExecutorLimits } from './limits.js';
import { NodeAttachments } from './node/attachments.js';
import { describeNode, type NodeFacts } from './node/describe.js';
import { type NodeNetworks, nodeNetworking } from './node/networks.js';
import { checkHostAccess } from './request/host-access.js';
import { checkMounts } from './request/mounts.js';
import { securityOptions } from './request/security.js';
import { expandContainerSpec } from './request/template-context.js';

export interface ContainerExecutorOptions {
  engine: TaskEngine;
  images: TaskImages;
  imagePeers: ImagePeers;
  volumes: TaskVolumes;
  networks: NodeNetworks;
  traffic: TaskTraffic;
  /** Addresses of containers that are no tasks; the engine's `swarmNetworks`. */
  containerAttachments: ContainerAttachments;
  disk: Pick<Disk, 'stat'>;
  clock: Clock;
  logger: Logger;
  /** Asked anew each time the node describes itself. */
  facts(): NodeFacts;
  limits?: Partial<ExecutorLimits>;
}

/** Runs the tasks of a node as containers. */
export class ContainerExecutor implements Executor {
  readonly #options: ContainerExecutorOptions;
  readonly #limits: ExecutorLimits;
  readonly #room: SharedRoom;
  #attachedNetworks: readonly Network[] = [];

  constructor(options: ContainerExecutorOptions) {
    const { clock, disk, engine, imagePeers, images, networks, traffic, volumes } = options;
    const limits = { ...DEFAULT_EXECUTOR_LIMITS, ...options.limits };
    const logger = options.logger.child({ room: 'executor' });
    this.#options = options;
    this.#limits = limits;
    this.#room = {
      engine,
      volumes,
      traffic,
      clock,
      disk,
      logger,
      events: new ContainerEvents(engine),
      puller: new ImagePuller({ images, peers: imagePeers, clock, logger, limits }),
      attachments: new NodeAttachments({ clock, limits, networks }),
    };
  }

  async describe(): Promise<NodeDescription> {
    return describeNode(this.#options.facts(), await this.#room.volumes.drivers());
  }

  /** The networks in which this node has an address, as its manager described them last. */
  get attachedNetworks(): readonly Network[] {
    return this.#attachedNetworks;
  }

  async configure(node: NodeObject): Promise<void> {
    this.#attachedNetworks = node.attachments.flatMap(({ network }) => network ?? []);
    await this.#options.networks.configure(nodeNetworking(node));
  }

  async restore(tasks: readonly TaskObject[]): Promise<void> {
    const { engine, logger } = this.#room;
    const taskIds = new Set(tasks.map((task) => task.id));
    const options = { engine, logger, removalsMax: this.#limits.leftoverRemovalsMax };
    await removeLeftovers(options, taskIds);
  }

  controller(task: TaskObject, dependencies: Dependencies): TaskController {
    if (task.spec.runtime.case === 'attachment') {
      const containers = this.#options.containerAttachments;
      return new AttachmentController({ room: this.#room, containers, task });
    }
    const node = describeNode(this.#options.facts());
    const spec = this.#checkedSpec(task, node);
    return new ContainerController({ room: { ...this.#room, node, dependencies }, task, spec });
  }

  /** Lets go of the engine. */
  close(): void {
    this.#room.events.close();
  }

  #checkedSpec(task: TaskObject, node: NodeDescription): ContainerSpec {
    const { runtime } = task.spec;
    if (runtime.case !== 'container') throw new Error('dockerexec: unsupported runtime');
    if (runtime.value.image === '') throw new Error('dockerexec: image required');
    checkMounts(runtime.value.mounts);
    checkHostAccess(task, this.#options.facts().hostAccess);
    securityOptions(runtime.value);
    return expandContainerSpec(runtime.value, templateData(task, node));
  }
}
