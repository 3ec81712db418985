import type { TaskObject } from '@skep/wire';

/** Who sends traffic to tasks, as the executor asks for it at both ends of a task's life. */
export interface TaskTraffic {
  /**
   * The task may take connections: its container runs, and is healthy where that is checked. Repeating
   * it does nothing.
   */
  activate(task: TaskObject): Promise<void>;
  /**
   * Resolves true once the container listens on all of these TCP ports, where others can reach it, and
   * for one without a network of its own; false when it does not within `maxMs` (>= 0), or has ended.
   * Rejects only with the signal's reason.
   */
  listening(
    containerId: string,
    ports: readonly number[],
    maxMs: number,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Other programs of this host that ports of the task hide now, in sentences. */
  obstructions(task: TaskObject): string[];
  /**
   * Resolves when no balancer and no name leads to the task any more, on any node that can be reached,
   * or when the time for it is up. Never rejects. For a task that was never active, too.
   */
  withdraw(taskId: string): Promise<void>;
  /**
   * Resolves when nobody has a connection to the container any more, at the latest after `maxMs` (>= 0).
   * Resolves how many are left then. Rejects only with the signal's reason.
   */
  drained(containerId: string, maxMs: number, signal: AbortSignal): Promise<number>;
}

/** How the rest of the swarm hears of this node's tasks: from a manager, or by gossip. */
export interface TaskAnnouncer {
  activate(task: TaskObject): Promise<void>;
  /** Rejects when nobody could be told; it is tried again for a while, unless UNIMPLEMENTED. */
  withdraw(taskId: string, signal: AbortSignal): Promise<void>;
  /**
   * Time that the news take from `withdraw`'s answer until everybody has heard them; 0 where the answer
   * comes after that.
   */
  spreadMs: number;
}
