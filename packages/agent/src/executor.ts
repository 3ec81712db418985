import type { ConfigObject, NodeObject, SecretObject, TaskObject } from '@skep/wire';
import type { ContainerStatus, NodeDescription, PortStatus } from '@skep/wire/swarmkit';

/** What a worker asks of whatever runs containers; `@skep/executor` does it with real ones. */
export interface Executor {
  /** What this node is and has. `tls_info` is filled in by the agent. */
  describe(): Promise<NodeDescription>;
  /** Takes over the node object (network attachments) whenever it changed. */
  configure(node: NodeObject): Promise<void>;
  /**
   * Called once, before any controller is made, with every task that was assigned when the node last ran:
   * containers of other tasks are leftovers and go away.
   */
  restore(tasks: readonly TaskObject[]): Promise<void>;
  /** Does no work yet. Throws for a task this node cannot run, which is then rejected with the message. */
  controller(task: TaskObject, dependencies: Dependencies): TaskController;
}

/** The secrets and configs that the tasks of this node may read. */
export interface Dependencies {
  /**
   * Throws when there is none. The error is temporary as long as no manager has told this node what it
   * needs (secrets are never on its disk), and final after that.
   */
  secret(secretId: string): SecretObject;
  config(configId: string): ConfigObject;
}

/** How an operation runs: cancellable, and sharing the machine with those of other tasks. */
export interface OperationContext {
  /** Aborts when the task is no longer to do this. The operation ends soon after, with any error. */
  signal: AbortSignal;
  /**
   * Runs work that keeps the machine busy (create or start a container) when there is room for it. Waiting
   * (for a registry, for a health check, for an exit) stays outside.
   */
  busy<T>(work: () => Promise<T>): Promise<T>;
}

/** What a task's log is asked for. Times are ns since the epoch. */
export interface TaskLogOptions {
  stdout: boolean;
  stderr: boolean;
  /** Waits for more, also for a container that does not exist yet. */
  follow: boolean;
  sinceNs?: bigint | undefined;
  /** Number of last lines; all when absent. */
  tail?: number | undefined;
}

export interface TaskLogEntry {
  stream: 'stdout' | 'stderr';
  timeNs: bigint;
  data: Uint8Array;
  attributes: Record<string, string>;
}

/**
 * The hands of one task. Operations are called one at a time and may be repeated, also after a restart of
 * the process: each finds out what is already done and does the rest. They reject with a
 * {@link TemporaryError} to be tried again, with anything else to end the task.
 */
export interface TaskController {
  /** The assignment changed (labels, desired state); the container itself never does. */
  update(task: TaskObject): Promise<void>;
  /** Everything up to a created container. */
  prepare(context: OperationContext): Promise<void>;
  /** Starts the container, and resolves when it is up and, with a health check, healthy. */
  start(context: OperationContext): Promise<void>;
  /** Resolves when the container exited with 0, rejects with a `TaskExitError` for any other end. */
  wait(context: OperationContext): Promise<void>;
  /** Stops the container, giving it its grace period; no error when there is none. */
  shutdown(context: OperationContext): Promise<void>;
  /** Stops the container at once. */
  terminate(context: OperationContext): Promise<void>;
  /** Removes the container, running or not, and what belongs to it alone; no error when there is none. */
  remove(context: OperationContext): Promise<void>;
  /** Lets go of everything in this process. The container stays as it is. */
  close(): Promise<void>;
  /** As last seen; undefined as long as there is no container. */
  containerStatus(): ContainerStatus | undefined;
  /** Host-mode ports with their numbers, once started. */
  portStatus(): PortStatus | undefined;
  /** What its status should say besides, for people; undefined for nothing. */
  remark?(): string | undefined;
  /** What users should know of a task that runs all the same; nothing, or empty: all is well. */
  warning?(): string;
  logs(options: TaskLogOptions, signal: AbortSignal): AsyncIterable<TaskLogEntry>;
}
