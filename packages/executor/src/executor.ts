import type { Dependencies, Executor, TaskController } from '@skep/agent';
import type { Clock, Disk, Logger } from '@skep/platform';
import type { NodeObject, TaskObject } from '@skep/wire';
import type { ContainerSpec, NodeDescription } from '@skep/wire/swarmkit';
import { ContainerEvents } from './controller/container-events.js';
import { ContainerController } from './controller/controller.js';
import type { SharedRoom, TaskEngine, TaskImages, TaskVolumes } from './controller/room.js';
import { ImagePuller } from './image/puller.js';
import { removeLeftovers } from './leftovers.js';
import { DEFAULT_EXECUTOR_LIMITS, type ExecutorLimits } from './limits.js';
import { NodeAttachments } from './node/attachments.js';
import { describeNode, type NodeFacts } from './node/describe.js';
import { attachedNetworkIds, ingressAttachment } from './node/ingress.js';
import type { ServicePublisher } from './publisher.js';
import { checkMounts } from './request/mounts.js';
import { TASK_ID_LABEL } from './request/names.js';
import { securityOptions } from './request/security.js';
import { expandContainerSpec, templateData } from './request/template-context.js';

export interface ContainerExecutorOptions {
  engine: TaskEngine;
  images: TaskImages;
  volumes: TaskVolumes;
  publisher: ServicePublisher;
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

  constructor(options: ContainerExecutorOptions) {
    const { clock, disk, engine, images, publisher, volumes } = options;
    const limits = { ...DEFAULT_EXECUTOR_LIMITS, ...options.limits };
    const logger = options.logger.child({ room: 'executor' });
    this.#options = options;
    this.#limits = limits;
    this.#room = {
      engine,
      volumes,
      publisher,
      disk,
      logger,
      events: new ContainerEvents(engine),
      puller: new ImagePuller({ images, clock, logger, limits }),
      attachments: new NodeAttachments(clock, limits),
    };
  }

  async describe(): Promise<NodeDescription> {
    return describeNode(this.#options.facts());
  }

  async configure(node: NodeObject): Promise<void> {
    try {
      await this.#options.publisher.configureNode(ingressAttachment(node));
    } finally {
      // Tasks go on without the routing mesh rather than wait for it.
      this.#room.attachments.replace(attachedNetworkIds(node));
    }
  }

  async restore(tasks: readonly TaskObject[]): Promise<void> {
    const { engine, logger, publisher } = this.#room;
    const taskIds = new Set(tasks.map((task) => task.id));
    const options = { engine, logger, removalsMax: this.#limits.leftoverRemovalsMax };
    const kept = await removeLeftovers(options, taskIds);
    const live = kept.filter((container) => container.State === 'running');
    await publisher.restored(live.map(({ Labels }) => Labels[TASK_ID_LABEL] ?? ''));
  }

  controller(task: TaskObject, dependencies: Dependencies): TaskController {
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
    securityOptions(runtime.value);
    return expandContainerSpec(runtime.value, templateData(task, node));
  }
}
