import { create } from '@bufbuild/protobuf';
import type { SimClock } from '@skep/platform';
import { durationMs, timestampFromMs } from '@skep/wire';
import {
  AssignmentChange_AssignmentAction,
  type AssignmentsMessage,
  AssignmentsMessage_Type,
  AssignmentsRequestSchema,
  HeartbeatRequestSchema,
  NodeDescriptionSchema,
  type SessionMessage,
  SessionRequestSchema,
  type Task,
  TaskState,
  TaskStatusSchema,
  UpdateTaskStatusRequestSchema,
} from '@skep/wire/swarmkit';
import type { DispatcherService } from '../contract.js';
import { nodeOf } from './objects.sim.js';

/** Wait before a lost session is tried again. */
const RETRY_MS = 300;
/** How long a task takes from one state to the next. */
const STEP_MS = 200;

interface Known {
  task: Task;
  state: TaskState;
  /** When it came to that, ms since the epoch. */
  sinceMs: number;
}

export interface SimAgentOptions {
  nodeId: string;
  address: string;
  clock: SimClock;
  /** The leader's; undefined while there is none. */
  dispatcher(): DispatcherService | undefined;
}

/**
 * A worker as simple as the protocol allows: a session, heartbeats as often as asked, and tasks that take
 * a moment from state to state. It remembers its tasks over a power cut, but nothing of it runs then.
 */
export class SimAgent {
  readonly #options: SimAgentOptions;
  readonly #tasks = new Map<string, Known>();
  #power: AbortController | undefined;
  #connection = new AbortController();
  /** Whether its cable is plugged in. */
  #plugged = true;
  #sessionId = '';
  /** Called after each step of the tasks. */
  #stepped = () => {};
  /** What it was told, oldest first. */
  readonly told: SessionMessage[] = [];
  readonly assigned: AssignmentsMessage[] = [];

  constructor(options: SimAgentOptions) {
    this.#options = options;
  }

  /** Ids of the tasks whose containers run now. */
  get running(): string[] {
    const isRunning = ([, { state }]: [string, Known]) => state === TaskState.RUNNING;
    return this.#power ? [...this.#tasks].filter(isRunning).map(([id]) => id) : [];
  }

  start(): void {
    if (this.#power) return;
    this.#power = new AbortController();
    const { signal } = this.#power;
    for (const known of this.#tasks.values()) {
      if (known.state >= TaskState.STARTING && known.state <= TaskState.RUNNING) {
        this.#bring(known, TaskState.FAILED);
      }
    }
    void this.#live(signal);
    void this.#work(signal);
  }

  /** A power cut: all stops at once, and nobody is told. */
  kill(): void {
    this.#power?.abort();
    this.#power = undefined;
    this.#connection.abort();
  }

  unplug(): void {
    this.#plugged = false;
    this.#connection.abort();
  }

  plug(): void {
    this.#plugged = true;
  }

  async #live(power: AbortSignal): Promise<void> {
    while (!power.aborted) {
      const dispatcher = this.#plugged ? this.#options.dispatcher() : undefined;
      this.#connection = new AbortController();
      const { signal } = this.#connection;
      if (dispatcher) await this.#session(dispatcher, signal).catch(() => {});
      this.#connection.abort();
      await this.#options.clock.sleep(RETRY_MS);
    }
  }

  async #session(dispatcher: DispatcherService, signal: AbortSignal): Promise<never> {
    const { nodeId, address } = this.#options;
    const description = create(NodeDescriptionSchema, nodeOf(nodeId).description);
    const request = create(SessionRequestSchema, { description, sessionId: this.#sessionId });
    const messages = dispatcher.session(nodeId, request, address, signal)[Symbol.asyncIterator]();
    const first = await messages.next();
    if (first.done) throw new Error('no session');
    this.told.push(first.value);
    this.#sessionId = first.value.sessionId;
    return Promise.race([
      this.#follow(messages, (message) => this.told.push(message)),
      this.#beat(dispatcher, signal),
      this.#assignments(dispatcher, signal),
      this.#report(dispatcher, signal),
    ]);
  }

  async #follow<T>(stream: AsyncIterator<T>, take: (message: T) => void): Promise<never> {
    for (;;) {
      const { done, value } = await stream.next();
      if (done) throw new Error('the stream ended');
      take(value);
    }
  }

  async #beat(dispatcher: DispatcherService, signal: AbortSignal): Promise<never> {
    for (;;) {
      const request = create(HeartbeatRequestSchema, { sessionId: this.#sessionId });
      const { period } = await dispatcher.heartbeat(this.#options.nodeId, request);
      await this.#options.clock.sleep(durationMs(period), signal);
    }
  }

  #assignments(dispatcher: DispatcherService, signal: AbortSignal): Promise<never> {
    const request = create(AssignmentsRequestSchema, { sessionId: this.#sessionId });
    const stream = dispatcher.assignments(this.#options.nodeId, request, signal);
    return this.#follow(stream[Symbol.asyncIterator](), (message) => this.#take(message));
  }

  #take(message: AssignmentsMessage): void {
    this.assigned.push(message);
    const listed = new Set<string>();
    for (const { action, assignment } of message.changes) {
      if (assignment?.item.case !== 'task') continue;
      const task = assignment.item.value;
      if (action === AssignmentChange_AssignmentAction.REMOVE) this.#tasks.delete(task.id);
      else this.#put(task);
      listed.add(task.id);
    }
    if (message.type !== AssignmentsMessage_Type.COMPLETE) return;
    for (const id of this.#tasks.keys()) if (!listed.has(id)) this.#tasks.delete(id);
  }

  /** Its own word on a task's state holds, and what shall stop never shall go on. */
  #put(task: Task): void {
    const known = this.#tasks.get(task.id);
    const state = known?.state ?? task.status?.state ?? TaskState.ASSIGNED;
    const isOlder = known !== undefined && task.desiredState < known.task.desiredState;
    const sinceMs = known?.sinceMs ?? this.#options.clock.now();
    this.#tasks.set(task.id, { task: isOlder ? known.task : task, state, sinceMs });
  }

  #bring(known: Known, state: TaskState): void {
    if (known.state === state) return;
    known.state = state;
    known.sinceMs = this.#options.clock.now();
  }

  async #work(power: AbortSignal): Promise<void> {
    while (!power.aborted) {
      for (const known of this.#tasks.values()) this.#bring(known, nextState(known));
      this.#stepped();
      await this.#options.clock.sleep(STEP_MS);
    }
  }

  /** Says all anew with each session, and after that what has changed. */
  async #report(dispatcher: DispatcherService, signal: AbortSignal): Promise<never> {
    const { nodeId } = this.#options;
    const said = new Map<string, TaskState>();
    for (;;) {
      const news = [...this.#tasks].filter(([id, { state }]) => said.get(id) !== state);
      const updates = news.map(([taskId, { state, sinceMs }]) => {
        const timestamp = timestampFromMs(sinceMs);
        return { taskId, status: create(TaskStatusSchema, { state, timestamp }) };
      });
      if (updates.length > 0) {
        const fields = { sessionId: this.#sessionId, updates };
        await dispatcher.updateTaskStatus(nodeId, create(UpdateTaskStatusRequestSchema, fields));
      }
      for (const [id, { state }] of news) said.set(id, state);
      await new Promise<void>((resolve) => {
        this.#stepped = resolve;
      });
      signal.throwIfAborted();
    }
  }
}

function nextState({ task, state }: Known): TaskState {
  if (state >= TaskState.COMPLETE) return state;
  if (task.desiredState >= TaskState.SHUTDOWN) return TaskState.SHUTDOWN;
  if (state < TaskState.READY) return TaskState.READY;
  if (task.desiredState < TaskState.RUNNING) return state;
  return state < TaskState.STARTING ? TaskState.STARTING : TaskState.RUNNING;
}
