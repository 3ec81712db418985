import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import { PortConfig_Protocol, PortConfig_PublishMode } from '@skep/wire/swarmkit';
import type { NamespacePath, NetKernel } from '../kernel/contract.js';
import { WITHDRAW_RETRY_MS, WITHDRAW_WAIT_MS } from '../limits.js';
import { hidesAnother } from '../publish/port-keeper.js';
import type { PortProtocol } from '../tables/contract.js';
import type { TaskAnnouncer, TaskTraffic } from './contract.js';
import { Drains } from './drain.js';
import { untilListening } from './listening.js';

const PROTOCOL_NAMES: Record<PortConfig_Protocol, PortProtocol> = {
  [PortConfig_Protocol.TCP]: 'tcp',
  [PortConfig_Protocol.UDP]: 'udp',
  [PortConfig_Protocol.SCTP]: 'sctp',
};

export interface SwarmTrafficOptions {
  kernel: Pick<NetKernel, 'inboundConnections' | 'listeningPorts' | 'tcpSockets'>;
  clock: Clock;
  logger: Logger;
  /** Path of a container's network namespace; undefined: it has none. */
  namespaceOf(containerId: string): NamespacePath | undefined;
  /** Whether the mesh keeps clients from another program of this host by this port. */
  hidesAnother(protocol: PortProtocol, port: number): boolean;
}

/** Traffic to the tasks of this node, from all nodes of its swarm. */
export class SwarmTraffic implements TaskTraffic {
  readonly #options: SwarmTrafficOptions;
  readonly #drains: Drains;
  /** Tasks that may take connections, by their id. */
  readonly #active = new Map<string, TaskObject>();
  #announcer: TaskAnnouncer | undefined;

  constructor(options: SwarmTrafficOptions) {
    this.#options = options;
    this.#drains = new Drains(options);
  }

  /** Through whom the swarm hears of tasks from now on; undefined: nobody is to hear. */
  announceThrough(announcer: TaskAnnouncer | undefined): void {
    if (this.#announcer === announcer) return;
    this.#announcer = announcer;
    // Tasks outlive managers and this process: whoever is told next has not heard of them.
    for (const task of this.#active.values()) this.#tellAgain(task);
  }

  async activate(task: TaskObject): Promise<void> {
    this.#active.set(task.id, task);
    await this.#announcer?.activate(task);
  }

  async listening(
    containerId: string,
    ports: readonly number[],
    maxMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, kernel, logger, namespaceOf } = this.#options;
    const namespace = namespaceOf(containerId);
    if (!namespace) return true;
    try {
      return await untilListening({ kernel, clock, namespace, ports, maxMs }, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // Its namespace is gone, and so is whatever would listen.
      logger.debug({ containerId, error: errorMessage(error) }, 'cannot see who listens');
      return false;
    }
  }

  obstructions(task: TaskObject): string[] {
    return (task.endpoint?.ports ?? []).flatMap(({ protocol, publishedPort, publishMode }) => {
      const name = PROTOCOL_NAMES[protocol];
      const isHidden =
        publishMode === PortConfig_PublishMode.INGRESS &&
        this.#options.hidesAnother(name, publishedPort);
      return isHidden ? [hidesAnother(name, publishedPort)] : [];
    });
  }

  async withdraw(taskId: string): Promise<void> {
    const { clock, logger } = this.#options;
    this.#active.delete(taskId);
    const announcer = this.#announcer;
    if (!announcer) return;
    const limit = new AbortController();
    const cancel = clock.after(WITHDRAW_WAIT_MS, () => limit.abort(new Error('time is up')));
    try {
      await this.#told(announcer, taskId, limit.signal);
      if (announcer.spreadMs > 0) await clock.sleep(announcer.spreadMs);
    } catch (error) {
      logger.warn({ taskId, error: errorMessage(error) }, 'task stops, though not everybody knows');
    } finally {
      cancel();
    }
  }

  async drained(containerId: string, maxMs: number, signal: AbortSignal): Promise<number> {
    const namespace = this.#options.namespaceOf(containerId);
    if (!namespace || maxMs <= 0) return 0;
    try {
      return await this.#drains.wait(namespace, maxMs, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // Its namespace is gone, and its connections with it.
      this.#options.logger.debug({ containerId, error: errorMessage(error) }, 'cannot drain');
      return 0;
    }
  }

  #tellAgain(task: TaskObject): void {
    this.#announcer?.activate(task).catch((error: unknown) => {
      const fields = { taskId: task.id, error: errorMessage(error) };
      this.#options.logger.warn(fields, 'not everybody knows of a task');
    });
  }

  /** Rejects when the signal aborts, be the announcer as deaf as it may. */
  async #told(announcer: TaskAnnouncer, taskId: string, signal: AbortSignal): Promise<void> {
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    ended.catch(() => {});
    for (;;) {
      try {
        return await Promise.race([announcer.withdraw(taskId, signal), ended]);
      } catch (error) {
        if (signal.aborted || isInVain(error)) throw error;
      }
      await this.#options.clock.sleep(WITHDRAW_RETRY_MS, signal);
    }
  }
}

/** Whoever is asked does not know what that is, and will not learn it. */
function isInVain(error: unknown): boolean {
  return error instanceof RpcError && error.code === Code.UNIMPLEMENTED;
}
