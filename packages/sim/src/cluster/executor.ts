import { create } from '@bufbuild/protobuf';
import {
  type Dependencies,
  type Executor,
  type OperationContext,
  type TaskController,
  TaskExitError,
} from '@skep/agent';
import type { TaskObject } from '@skep/wire';
import {
  type ContainerStatus,
  ContainerStatusSchema,
  type NodeDescription,
  NodeDescriptionSchema,
} from '@skep/wire/swarmkit';
import type { Draw, MachineClock } from '../engine/index.js';
import type { Containers } from './containers.js';
import { configIdsOf } from './services/index.js';

export interface SimExecutorOptions {
  hostname: string;
  containers: Containers;
  clock: MachineClock;
  draw: Draw;
  /** A task's container has just started. */
  onStarted(task: TaskObject): void;
  /** Has a task taken out of use on all nodes before it stops. */
  withdraw(taskId: string, signal: AbortSignal): Promise<void>;
}

/** How long an engine takes for an operation, ms. */
const TAKES_MS = {
  prepare: [5, 200],
  start: [5, 50],
  shutdown: [2, 100],
  remove: [2, 30],
} as const;
const NANO_CPUS = 4_000_000_000n;
const MEMORY_BYTES = 8_000_000_000n;

/** The engine of a machine, as one life of its agent sees it. */
export class SimExecutor implements Executor {
  readonly #options: SimExecutorOptions;

  constructor(options: SimExecutorOptions) {
    this.#options = options;
  }

  async describe(): Promise<NodeDescription> {
    return create(NodeDescriptionSchema, {
      hostname: this.#options.hostname,
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: NANO_CPUS, memoryBytes: MEMORY_BYTES },
      engine: { plugins: [{ type: 'Network', name: 'overlay' }] },
    });
  }

  async configure(): Promise<void> {}

  async restore(tasks: readonly TaskObject[]): Promise<void> {
    const { containers } = this.#options;
    const kept = new Set(tasks.map(({ id }) => id));
    for (const { task } of containers.all) if (!kept.has(task.id)) containers.remove(task.id);
  }

  controller(task: TaskObject, dependencies: Dependencies): TaskController {
    return new SimController(task, dependencies, this.#options);
  }
}

/** The hands of one task. */
class SimController implements TaskController {
  readonly #task: TaskObject;
  readonly #dependencies: Dependencies;
  readonly #options: SimExecutorOptions;

  constructor(task: TaskObject, dependencies: Dependencies, options: SimExecutorOptions) {
    this.#task = task;
    this.#dependencies = dependencies;
    this.#options = options;
  }

  async update(): Promise<void> {}

  async prepare({ signal, busy }: OperationContext): Promise<void> {
    await busy(() => this.#work('prepare', signal));
    this.#options.containers.create(this.#task);
  }

  async start({ signal, busy }: OperationContext): Promise<void> {
    await busy(() => this.#work('start', signal));
    for (const id of configIdsOf(this.#task.spec)) this.#dependencies.config(id);
    if (this.#options.containers.start(this.#task.id)) this.#options.onStarted(this.#task);
  }

  async wait({ signal }: OperationContext): Promise<void> {
    const { clock, containers } = this.#options;
    const found = await new Promise<number>((resolve, reject) => {
      const look = () => {
        const container = containers.find(this.#task.id);
        if (container && container.state !== 'exited') return;
        forget();
        // What ends a container is not always this program's to see at once, or at all.
        clock.whenAwake(() => resolve(container?.exitCode ?? KILLED));
      };
      const forget = containers.onChange(look);
      const onAbort = () => {
        forget();
        reject(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      look();
    });
    if (found !== 0) throw new TaskExitError(found);
  }

  async shutdown({ signal }: OperationContext): Promise<void> {
    // A task stops all the same when no manager can be asked.
    if (this.#task.networks.length > 0) {
      await this.#options.withdraw(this.#task.id, signal).catch(() => {});
    }
    await this.#work('shutdown', signal);
    this.#options.containers.exit(this.#task.id, 0);
  }

  async terminate(): Promise<void> {
    this.#options.containers.exit(this.#task.id, KILLED);
  }

  async remove({ signal }: OperationContext): Promise<void> {
    await this.#work('remove', signal);
    this.#options.containers.remove(this.#task.id);
  }

  async close(): Promise<void> {}

  containerStatus(): ContainerStatus | undefined {
    if (!this.#options.containers.find(this.#task.id)) return undefined;
    return create(ContainerStatusSchema, { containerId: `c-${this.#task.id}` });
  }

  portStatus(): undefined {
    return undefined;
  }

  async *logs(): AsyncIterable<never> {}

  #work(operation: keyof typeof TAKES_MS, signal: AbortSignal): Promise<void> {
    const { clock, draw } = this.#options;
    const [shortest, longest] = TAKES_MS[operation];
    return clock.sleep(draw.between(shortest, longest), signal);
  }
}

const KILLED = 137;
