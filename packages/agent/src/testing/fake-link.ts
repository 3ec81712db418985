import { create } from '@bufbuild/protobuf';
import { BoundedQueue, Code, RpcError } from '@skep/platform';
import { durationFromMs } from '@skep/wire';
import { type RenameContainerResponse, RenameContainerResponseSchema } from '@skep/wire/skep';
import {
  type AssignmentsMessage,
  type AssignmentsRequest,
  type AttachNetworkRequest,
  type AttachNetworkResponse,
  AttachNetworkResponseSchema,
  type DetachNetworkRequest,
  type DetachNetworkResponse,
  DetachNetworkResponseSchema,
  type HeartbeatRequest,
  type HeartbeatResponse,
  HeartbeatResponseSchema,
  type PublishLogsMessage,
  type SessionMessage,
  type SessionRequest,
  type SubscriptionMessage,
  type TaskState,
  type UpdateTaskStatusRequest,
  type UpdateTaskStatusResponse,
  UpdateTaskStatusResponseSchema,
} from '@skep/wire/swarmkit';
import type { ManagerLink } from '../link.js';

const QUEUE_ITEMS_MAX = 1_000;

/** The streams of one session, as the manager's end of it. */
export class FakeSession {
  readonly session = new BoundedQueue<SessionMessage>(QUEUE_ITEMS_MAX);
  readonly assignments = new BoundedQueue<AssignmentsMessage>(QUEUE_ITEMS_MAX);
  readonly subscriptions = new BoundedQueue<SubscriptionMessage>(QUEUE_ITEMS_MAX);
  readonly request: SessionRequest;

  constructor(request: SessionRequest) {
    this.request = request;
  }
}

/** A manager that records what it is told and says what a test wants. */
export class FakeLink implements ManagerLink {
  readonly sessions: FakeSession[] = [];
  readonly reports: UpdateTaskStatusRequest[] = [];
  readonly published: PublishLogsMessage[] = [];
  readonly attached: AttachNetworkRequest[] = [];
  readonly detached: string[] = [];
  heartbeats = 0;
  periodMs = 5_000;
  down = false;
  /** The manager hangs: heartbeats are never answered. */
  hangs = false;
  /** Heartbeats fail with this while it is set. */
  heartbeatFailure: unknown;
  /** Errors for the next reports, in order. */
  reportFailures: unknown[] = [];
  /** While set, reports wait for it. */
  reportGate: Promise<void> | undefined;
  onSession: (session: FakeSession) => void = () => {};

  get current(): FakeSession {
    const session = this.sessions.at(-1);
    if (!session) throw new Error('no session was opened');
    return session;
  }

  /** The states reported of a task, in order. */
  states(taskId: string): TaskState[] {
    return this.reports
      .flatMap((report) => report.updates)
      .filter((update) => update.taskId === taskId)
      .map((update) => update.status!.state);
  }

  session(request: SessionRequest): AsyncIterable<SessionMessage> {
    if (this.down) throw new RpcError(Code.UNAVAILABLE, 'no manager');
    const session = new FakeSession(request);
    this.sessions.push(session);
    this.onSession(session);
    return session.session;
  }
  async heartbeat(_request: HeartbeatRequest): Promise<HeartbeatResponse> {
    if (this.down) throw new RpcError(Code.UNAVAILABLE, 'no manager');
    if (this.heartbeatFailure) throw this.heartbeatFailure;
    if (this.hangs) return new Promise(() => {});
    this.heartbeats++;
    return create(HeartbeatResponseSchema, { period: durationFromMs(this.periodMs) });
  }
  async updateTaskStatus(request: UpdateTaskStatusRequest): Promise<UpdateTaskStatusResponse> {
    await this.reportGate;
    const failure = this.reportFailures.shift();
    if (failure) throw failure;
    this.reports.push(request);
    return create(UpdateTaskStatusResponseSchema);
  }
  assignments(_request: AssignmentsRequest): AsyncIterable<AssignmentsMessage> {
    return this.current.assignments;
  }
  listenSubscriptions(): AsyncIterable<SubscriptionMessage> {
    return this.current.subscriptions;
  }
  async publishLogs(messages: AsyncIterable<PublishLogsMessage>): Promise<void> {
    for await (const message of messages) this.published.push(message);
  }
  async attachNetwork(request: AttachNetworkRequest): Promise<AttachNetworkResponse> {
    this.attached.push(request);
    return create(AttachNetworkResponseSchema, { attachmentId: `a${this.attached.length}` });
  }
  async detachNetwork({ attachmentId }: DetachNetworkRequest): Promise<DetachNetworkResponse> {
    this.detached.push(attachmentId);
    return create(DetachNetworkResponseSchema);
  }
  async renameContainer(): Promise<RenameContainerResponse> {
    return create(RenameContainerResponseSchema);
  }
}
