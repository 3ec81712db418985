import { create } from '@bufbuild/protobuf';
import { Code, invariant, newId, RpcError } from '@skep/platform';
import type { Commit } from '@skep/store';
import { durationFromMs } from '@skep/wire';
import {
  type AssignmentsMessage,
  type AssignmentsRequest,
  type HeartbeatRequest,
  type HeartbeatResponse,
  HeartbeatResponseSchema,
  NodeStatus_State,
  type SessionMessage,
  type SessionRequest,
  type UpdateTaskStatusRequest,
  type UpdateTaskStatusResponse,
  UpdateTaskStatusResponseSchema,
  type UpdateVolumeStatusRequest,
  type UpdateVolumeStatusResponse,
  UpdateVolumeStatusResponseSchema,
} from '@skep/wire/swarmkit';
import type { ControlLoop, DispatcherService } from '../contract.js';
import type { LoopOptions } from '../loop/planner.js';
import { whenAborted } from '../loop/when-aborted.js';
import { within } from '../loop/within.js';
import { AssignmentSet } from './assignment-set.js';
import {
  ASSIGNMENT_TASKS_MAX,
  BROKEN_STREAM_GRACE_MS,
  FAREWELL_MS_MAX,
  GRACE_PERIODS,
} from './limits.js';
import { NodeSession } from './node-session.js';
import { NodeWatch } from './node-watch.js';
import { inState, writeReady } from './node-writes.js';
import { chosenPeriodMs, heartbeatPeriodMs, jittered } from './period.js';
import { Registrations } from './registrations.js';
import {
  type ManagerPeer,
  type News,
  newsOf,
  sameNews,
  sessionMessage,
} from './session-message.js';
import { StatusWriter } from './status-writer.js';
import { NodeStream } from './stream.js';

export interface DispatcherOptions extends LoopOptions {
  /** This manager's own node. */
  nodeId: string;
  /**
   * The managers that nodes may turn to, now. Call {@link Dispatcher.refreshManagers} on changes. None while
   * that is not known: nodes are then told the last ones that were.
   */
  managers(): readonly ManagerPeer[];
}

/** Tells nodes what to run and hears how it goes. The leader's; nodes without a session are watched too. */
export class Dispatcher implements ControlLoop, DispatcherService {
  readonly #options: DispatcherOptions;
  readonly #sessions = new Map<string, NodeSession>();
  readonly #registrations: Registrations;
  readonly #watch: NodeWatch;
  readonly #statuses: StatusWriter;
  #unsubscribe: (() => void) | undefined;
  #managers: readonly ManagerPeer[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#registrations = new Registrations(options.clock);
    this.#statuses = new StatusWriter(options);
    this.#watch = new NodeWatch({
      ...options,
      hasSession: (nodeId) => this.#sessions.has(nodeId),
      isReachable: (nodeId) => this.#manager(nodeId)?.isReachable,
      onSilent: (nodeId) => this.#endSession(nodeId),
    });
  }

  start(): void {
    invariant(!this.#unsubscribe, 'the dispatcher is started twice');
    this.#unsubscribe = this.#options.store.subscribe((commit) => this.#onCommit(commit));
    this.#registrations.clear();
    this.#watch.start();
    this.#statuses.start();
  }

  /** Sends every node off to another manager. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    const nodeIds = [...this.#sessions.keys()];
    for (const session of this.#sessions.values()) session.end('moved');
    this.#sessions.clear();
    await Promise.all([this.#watch.stop(), this.#statuses.stop()]);
    await this.#writeDisconnected(nodeIds).catch((error: unknown) => {
      this.#options.log.info({ error: String(error) }, 'stopped without leave of the store');
    });
  }

  /** Tells the nodes of a change in the list of managers. */
  refreshManagers(): void {
    for (const { main } of this.#sessions.values()) main?.wake();
  }

  async *session(
    nodeId: string,
    request: SessionRequest,
    address: string,
    signal: AbortSignal,
  ): AsyncIterable<SessionMessage> {
    const session = this.#openSession(nodeId, request.sessionId);
    const stream = new NodeStream();
    session.main = stream;
    const close = () => this.#onStreamClosed(session, stream);
    const forget = whenAborted(signal, close);
    try {
      await this.#options.store.update((tx) =>
        writeReady(tx, nodeId, request.description, address),
      );
      let told = this.#news(nodeId);
      yield sessionMessage(session.id, told);
      while (!signal.aborted) {
        await stream.woken(signal);
        const news = this.#news(nodeId);
        if (stream.ended === 'moved' || !(stream.ended || sameNews(told, news))) {
          told = news;
          yield sessionMessage(session.id, news);
        }
        stream.check();
      }
    } finally {
      forget();
      close();
    }
  }

  async heartbeat(nodeId: string, request: HeartbeatRequest): Promise<HeartbeatResponse> {
    this.#sessionOf(nodeId, request.sessionId);
    return create(HeartbeatResponseSchema, { period: durationFromMs(this.#heard(nodeId)) });
  }

  async *assignments(
    nodeId: string,
    request: AssignmentsRequest,
    signal: AbortSignal,
  ): AsyncIterable<AssignmentsMessage> {
    const session = this.#sessionOf(nodeId, request.sessionId);
    const { view } = this.#options.store;
    const set = new AssignmentSet(nodeId);
    const opened = { stream: new NodeStream(), set };
    session.assignments.add(opened);
    const close = () => void session.assignments.delete(opened);
    const forget = whenAborted(signal, close);
    try {
      yield set.complete(view);
      while (!signal.aborted) {
        opened.stream.check();
        const message = set.next(this.#options.store.view, ASSIGNMENT_TASKS_MAX);
        if (message) yield message;
        else await opened.stream.woken(signal);
      }
    } finally {
      forget();
      close();
    }
  }

  async updateTaskStatus(
    nodeId: string,
    request: UpdateTaskStatusRequest,
  ): Promise<UpdateTaskStatusResponse> {
    this.#sessionOf(nodeId, request.sessionId);
    const { view } = this.#options.store;
    for (const { taskId } of request.updates) {
      const task = view.get('task', taskId);
      if (!task || task.nodeId === nodeId) continue;
      const message = 'cannot update a task not assigned this node';
      throw new RpcError(Code.PERMISSION_DENIED, message);
    }
    for (const { taskId, status } of request.updates) {
      if (status && view.get('task', taskId)) await this.#statuses.add(taskId, status);
    }
    return create(UpdateTaskStatusResponseSchema);
  }

  async updateVolumeStatus(
    nodeId: string,
    request: UpdateVolumeStatusRequest,
  ): Promise<UpdateVolumeStatusResponse> {
    this.#sessionOf(nodeId, request.sessionId);
    return create(UpdateVolumeStatusResponseSchema);
  }

  #news(nodeId: string): News {
    const managers = this.#options.managers().filter(({ addr }) => addr !== '');
    // A node that is told of no manager forgets those it knew, and never finds back.
    if (managers.length > 0) this.#managers = managers;
    return newsOf(this.#options.store.view, nodeId, this.#managers);
  }

  /** Says of nodes sent away that they look for another manager; given up when the log does not move. */
  #writeDisconnected(nodeIds: readonly string[]): Promise<void> {
    const { store, clock } = this.#options;
    const message = 'node is currently trying to find new manager';
    const written = store.batch(nodeIds, (tx, nodeId) => {
      const node = tx.get('node', nodeId);
      const left = node && inState(node, NodeStatus_State.DISCONNECTED, message);
      if (left) tx.update('node', left);
    });
    return within(clock, FAREWELL_MS_MAX, new AbortController().signal, written);
  }

  #mustRun(): void {
    if (!this.#unsubscribe) throw new RpcError(Code.ABORTED, 'dispatcher is stopped');
  }

  /** The node's session, when it is the one it says; throws otherwise (wire.md 3.2). */
  #sessionOf(nodeId: string, sessionId: string): NodeSession {
    this.#mustRun();
    const session = this.#sessions.get(nodeId);
    if (!session) throw new RpcError(Code.NOT_FOUND, 'node not registered');
    if (session.id !== sessionId) throw new RpcError(Code.INVALID_ARGUMENT, 'session invalid');
    return session;
  }

  /** Goes on with the session a node names, or starts a new one in place of what it had. */
  #openSession(nodeId: string, sessionId: string): NodeSession {
    this.#mustRun();
    const { store, random } = this.#options;
    if (this.#news(nodeId).managers.length === 0) {
      throw new RpcError(Code.UNAVAILABLE, 'no manager has an address yet');
    }
    if (!store.view.get('node', nodeId)) {
      throw new RpcError(Code.UNKNOWN, 'object does not exist');
    }
    const present = this.#sessions.get(nodeId);
    const goesOn = present !== undefined && present.id === sessionId;
    if (!goesOn) this.#registrations.admit(nodeId);
    present?.end('replaced');
    const session = goesOn ? present : new NodeSession(nodeId, newId(random));
    this.#sessions.set(nodeId, session);
    this.#heard(nodeId);
    return session;
  }

  /** Starts the node's time anew; returns the period in ms within which to be heard of again. */
  #heard(nodeId: string): number {
    const { store, random } = this.#options;
    const { view } = store;
    const periodMs = jittered(heartbeatPeriodMs(view, view.get('node', nodeId)), random);
    this.#watch.deadlines.set(nodeId, GRACE_PERIODS * periodMs);
    return periodMs;
  }

  #manager(nodeId: string): ManagerPeer | undefined {
    return this.#options.managers().find((manager) => manager.nodeId === nodeId);
  }

  #endSession(nodeId: string): void {
    this.#sessions.get(nodeId)?.end('replaced');
    this.#sessions.delete(nodeId);
  }

  /**
   * A stream that broke is a hint that its node did, or only its daemon: it has a short time from then to come
   * back, wherever it was between two beats. A period that is not ours to choose is waited out all the same.
   */
  #onStreamClosed(session: NodeSession, stream: NodeStream): void {
    if (session.main !== stream || stream.ended) return;
    session.main = undefined;
    const { view } = this.#options.store;
    if (chosenPeriodMs(view, view.get('node', session.nodeId)) === undefined) return;
    const { deadlines } = this.#watch;
    if (deadlines.has(session.nodeId)) deadlines.set(session.nodeId, BROKEN_STREAM_GRACE_MS);
  }

  #onCommit({ changes }: Commit): void {
    for (const change of changes) {
      const { table, kind, object } = change;
      if (table === 'task') {
        this.#sessions.get(object.nodeId)?.markTask(object.id);
        const before = change.before?.nodeId;
        if (before && before !== object.nodeId) this.#sessions.get(before)?.markTask(object.id);
      } else if (table === 'node') {
        if (kind === 'create') this.#watch.add(object);
        else if (kind === 'remove') this.#forgetNode(object.id);
        else this.#sessions.get(object.id)?.main?.wake();
      } else if (table === 'cluster') {
        this.refreshManagers();
      }
    }
  }

  #forgetNode(nodeId: string): void {
    this.#endSession(nodeId);
    this.#watch.forget(nodeId);
    this.#registrations.forget(nodeId);
  }
}
