import { create } from '@bufbuild/protobuf';
import type { NodeObject, TaskObject } from '@skep/wire';
import {
  type ContainerStatus,
  ContainerStatusSchema,
  type NodeDescription,
  NodeDescriptionSchema,
  type PortStatus,
} from '@skep/wire/swarmkit';
import type {
  Dependencies,
  Executor,
  OperationContext,
  TaskController,
  TaskLogEntry,
  TaskLogOptions,
} from '../executor.js';
import { unlessAborted } from '../waiting.js';

type Operation = 'prepare' | 'start' | 'wait' | 'shutdown' | 'terminate' | 'remove';

interface Pending {
  resolve(): void;
  reject(error: unknown): void;
}

/** A controller that does what a test tells it: operations end by themselves, except those held open. */
export class FakeController implements TaskController {
  readonly calls: string[] = [];
  readonly dependencies: Dependencies;
  /** Operations that wait for {@link finish} or {@link fail}. */
  held = new Set<Operation>(['wait']);
  /** Errors for the next calls of an operation, in order. */
  failures: Partial<Record<Operation, unknown[]>> = {};
  entries: TaskLogEntry[] = [];
  logOptions: TaskLogOptions[] = [];
  task: TaskObject;
  closed = false;
  running = 0;
  /** What users should know of the task. */
  warned = '';
  #pending = new Map<Operation, Pending>();

  constructor(task: TaskObject, dependencies: Dependencies) {
    this.task = task;
    this.dependencies = dependencies;
  }

  count(operation: Operation): number {
    return this.calls.filter((call) => call === operation).length;
  }

  finish(operation: Operation): void {
    this.#pending.get(operation)?.resolve();
  }

  fail(operation: Operation, error: unknown): void {
    this.#pending.get(operation)?.reject(error);
  }

  async #do(operation: Operation, context: OperationContext): Promise<void> {
    this.calls.push(operation);
    this.running++;
    try {
      const failure = this.failures[operation]?.shift();
      if (failure) throw failure;
      if (!this.held.has(operation)) return;
      const held = new Promise<void>((resolve, reject) => {
        this.#pending.set(operation, { resolve, reject });
      });
      await unlessAborted(context.signal, held);
    } finally {
      this.running--;
    }
  }

  async update(task: TaskObject): Promise<void> {
    this.task = task;
    this.calls.push('update');
  }
  prepare = (context: OperationContext) => context.busy(() => this.#do('prepare', context));
  start = (context: OperationContext) => context.busy(() => this.#do('start', context));
  wait = (context: OperationContext) => this.#do('wait', context);
  shutdown = (context: OperationContext) => this.#do('shutdown', context);
  terminate = (context: OperationContext) => this.#do('terminate', context);
  remove = (context: OperationContext) => this.#do('remove', context);
  async close(): Promise<void> {
    this.closed = true;
  }
  containerStatus(): ContainerStatus | undefined {
    if (!this.calls.includes('prepare')) return undefined;
    return create(ContainerStatusSchema, { containerId: `c-${this.task.id}` });
  }
  portStatus(): PortStatus | undefined {
    return undefined;
  }
  remark(): string | undefined {
    return this.task.serviceAnnotations.labels['remark'];
  }
  warning(): string {
    return this.warned;
  }
  async *logs(options: TaskLogOptions, signal: AbortSignal): AsyncIterable<TaskLogEntry> {
    this.logOptions.push(options);
    yield* this.entries;
    if (!options.follow) return;
    await unlessAborted(signal, new Promise(() => {}));
  }
}

/** An executor whose node never changes unless told, and whose controllers a test can reach. */
export class FakeExecutor implements Executor {
  hostname = 'host1';
  /** False: configuring the node takes for ever. */
  configures = true;
  readonly controllers = new Map<string, FakeController[]>();
  readonly configured: NodeObject[] = [];
  readonly restored: string[][] = [];
  /** Called with each new controller, before its first operation. */
  onController: (controller: FakeController) => void = () => {};
  refuse: ((task: TaskObject) => string | undefined) | undefined;

  async describe(): Promise<NodeDescription> {
    return create(NodeDescriptionSchema, { hostname: this.hostname });
  }
  async configure(node: NodeObject): Promise<void> {
    this.configured.push(node);
    if (!this.configures) await new Promise(() => {});
  }
  async restore(tasks: readonly TaskObject[]): Promise<void> {
    this.restored.push(tasks.map((task) => task.id).sort());
  }
  controller(task: TaskObject, dependencies: Dependencies): TaskController {
    const refusal = this.refuse?.(task);
    if (refusal) throw new Error(refusal);
    const controller = new FakeController(task, dependencies);
    this.controllers.set(task.id, [...(this.controllers.get(task.id) ?? []), controller]);
    this.onController(controller);
    return controller;
  }

  /** The latest controller of a task. */
  of(taskId: string): FakeController {
    const controller = this.controllers.get(taskId)?.at(-1);
    if (!controller) throw new Error(`no controller was made for ${taskId}`);
    return controller;
  }
}
