import { clone, create, equals } from '@bufbuild/protobuf';
import {
  type Clock,
  Code,
  type Disk,
  errorMessage,
  type Logger,
  type Random,
  RpcError,
} from '@skep/platform';
import { completeObject, type DataPath, markOwnAgent } from '@skep/wire';
import type { RenameContainerRequest, RenameContainerResponse } from '@skep/wire/skep';
import {
  type AttachNetworkRequest,
  type AttachNetworkResponse,
  type DetachNetworkRequest,
  type DetachNetworkResponse,
  type Node,
  type NodeDescription,
  NodeSchema,
  type NodeTLSInfo,
  type SessionMessage,
  UpdateTaskStatusRequestSchema,
} from '@skep/wire/swarmkit';
import { Backoff } from './backoff.js';
import type { Executor } from './executor.js';
import { type AgentLimits, DEFAULT_LIMITS } from './limits.js';
import type { ManagerLink } from './link.js';
import { LogPublisher } from './log-publisher.js';
import type { NetworkResources } from './network-resources.js';
import { Reporter } from './reporter.js';
import { runSession } from './session.js';
import { TaskLog } from './task-log.js';
import { unlessAborted, within } from './waiting.js';
import { Worker } from './worker.js';

export interface AgentOptions {
  executor: Executor;
  /** The manager to talk to, asked before each session. Rejects when none is known. */
  connect(): Promise<ManagerLink>;
  disk: Disk;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Where the node keeps its tasks, `<swarm directory>/worker`. */
  directory: string;
  limits?: Partial<AgentLimits>;
  /** Where other nodes send this one's overlay packets. */
  dataPath?(): DataPath;
  /** Certificate facts for the node's description; absent on a node without certificates. */
  tlsInfo?(): NodeTLSInfo | undefined;
  /**
   * Calls `listener` when {@link tlsInfo} may tell something else from now on; managers that rotate roots
   * wait to hear it. Returns how to stop that.
   */
  onTlsChange?(listener: () => void): () => void;
  /** Every session message: managers, keys and root certificate are the daemon's to keep. */
  onSession?(message: SessionMessage): void;
}

/** A worker: keeps its tasks going, with and without a manager. */
export class Agent implements NetworkResources {
  readonly #options: AgentOptions;
  readonly #limits: AgentLimits;
  readonly #logger: Logger;
  readonly #log: TaskLog;
  readonly #worker: Worker;
  readonly #reporter: Reporter;
  readonly #publisher: LogPublisher;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #sessionId = '';
  /** The manager of the session there is. */
  #link: ManagerLink | undefined;
  #node: Node | undefined;
  #configuring: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: AgentOptions, limits: AgentLimits, log: TaskLog) {
    const { clock, executor, random } = options;
    const logger = options.logger.child({ room: 'agent' });
    this.#options = options;
    this.#limits = limits;
    this.#logger = logger;
    this.#log = log;
    this.#reporter = new Reporter({ clock, logger, limits });
    const backoff = { baseMs: limits.reconnectBaseMs, maxMs: limits.reconnectMaxMs };
    this.#backoff = new Backoff(backoff, random);
    this.#worker = new Worker({
      executor,
      log,
      clock,
      logger,
      limits,
      onStatus: (taskId, status) => this.#reporter.report(taskId, status),
      onTaskAdded: (runner) => this.#publisher.taskAdded(runner),
      onTaskRemoved: (taskId) => this.#reporter.forget(taskId),
    });
    const sources = () => this.#worker.runners;
    this.#publisher = new LogPublisher({ clock, logger, limits, sources });
  }

  /**
   * Takes up the tasks of the last run, then keeps a session with a manager until {@link stop}. Resolves
   * when the tasks are taken up; rejects when the task log cannot be opened.
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { clock, directory, disk, logger } = options;
    const log = await TaskLog.open({ disk, clock, logger, limits, directory });
    const agent = new Agent(options, limits, log);
    await agent.#worker.restore();
    agent.#loop = agent.#run();
    return agent;
  }

  /** Lets go: the session ends, the containers go on, the tasks are kept for the next start. */
  async stop(): Promise<void> {
    await this.#endSession();
    await this.#worker.stop();
    await this.#log.close();
  }

  /** Leaves the swarm: the session ends, then every task of it goes away with its container. */
  async leave(): Promise<void> {
    await this.#endSession();
    await this.#worker.removeAll();
    await this.#worker.stop();
    await this.#log.close();
  }

  attachNetwork(request: AttachNetworkRequest): Promise<AttachNetworkResponse> {
    return this.#mustHaveManager().attachNetwork(request);
  }

  detachNetwork(request: DetachNetworkRequest): Promise<DetachNetworkResponse> {
    return this.#mustHaveManager().detachNetwork(request);
  }

  renameContainer(request: RenameContainerRequest): Promise<RenameContainerResponse> {
    return this.#mustHaveManager().renameContainer(request);
  }

  #mustHaveManager(): ManagerLink {
    if (this.#link) return this.#link;
    throw new RpcError(Code.UNAVAILABLE, 'this node has no session with a manager');
  }

  async #endSession(): Promise<void> {
    this.#stop.abort(new RpcError(Code.CANCELED, 'the node stops'));
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#session(await unlessAborted(signal, this.#options.connect()));
      } catch (error) {
        if (signal.aborted) break;
        this.#logger.info({ error: errorMessage(error) }, 'the session with the manager ended');
      }
      this.#link = undefined;
      this.#reporter.detach();
      this.#publisher.closeAll();
      await this.#options.clock.sleep(this.#backoff.next(), signal).catch(() => {});
    }
    this.#reporter.detach();
    this.#publisher.closeAll();
  }

  async #session(link: ManagerLink): Promise<never> {
    const { clock } = this.#options;
    const options = {
      link,
      clock,
      limits: this.#limits,
      description: await this.#describe(),
      sessionId: this.#sessionId,
      handlers: {
        registered: (sessionId: string) => this.#registered(link, sessionId),
        period: (periodMs: number) => this.#pace(periodMs),
        message: (message: SessionMessage) => this.#sessionMessage(message),
        assignments: this.#worker.apply.bind(this.#worker),
        subscription: (message: Parameters<LogPublisher['handle']>[0]) =>
          this.#publisher.handle(message, (messages) => link.publishLogs(messages)),
        describe: () => this.#describe(),
        onDescriptionChange: (listener: () => void) =>
          this.#options.onTlsChange?.(listener) ?? (() => {}),
      },
    };
    return runSession(options, this.#stop.signal);
  }

  async #describe(): Promise<NodeDescription> {
    const described = await this.#options.executor.describe();
    const description = markOwnAgent(described, this.#options.dataPath?.());
    const tlsInfo = this.#options.tlsInfo?.();
    return tlsInfo ? { ...description, tlsInfo } : description;
  }

  #registered(link: ManagerLink, sessionId: string): void {
    const { clock } = this.#options;
    this.#sessionId = sessionId;
    this.#link = link;
    this.#backoff.reset();
    this.#reporter.attach(async (updates) => {
      const call = link.updateTaskStatus(
        create(UpdateTaskStatusRequestSchema, { sessionId, updates }),
      );
      await within(clock, this.#limits.callTimeoutMs, 'status report', call);
    });
    for (const { taskId, status } of this.#worker.statuses()) {
      this.#reporter.report(taskId, status);
    }
  }

  #pace(periodMs: number): void {
    const { reconnectMaxMs, reconnectMaxPeriods } = this.#limits;
    this.#backoff.maxMs = Math.min(reconnectMaxMs, reconnectMaxPeriods * periodMs);
  }

  async #sessionMessage(message: SessionMessage): Promise<void> {
    this.#options.onSession?.(message);
    if (!message.node || !this.#changes(message.node)) return;
    const node = (this.#node = message.node);
    // One after the other, also those of a session that is over: the last must be what holds.
    this.#configuring = this.#configuring.then(() => this.#configure(node));
    await this.#configuring;
  }

  async #configure(node: Node): Promise<void> {
    try {
      await this.#options.executor.configure(completeObject('node', node));
    } catch (error) {
      // Not the end of the session: tasks without networks still run, and the next change is another try.
      if (this.#node === node) this.#node = undefined;
      this.#logger.error({ error: errorMessage(error) }, 'could not configure the node');
    }
  }

  /** Whether a node differs from the one last taken over, apart from its status and its version. */
  #changes(node: Node): boolean {
    if (!this.#node) return true;
    const plain = (one: Node) => {
      const copy = clone(NodeSchema, one);
      copy.status = undefined;
      copy.meta = undefined;
      return copy;
    };
    return !equals(NodeSchema, plain(this.#node), plain(node));
  }
}
