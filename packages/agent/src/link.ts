import type {
  AssignmentsMessage,
  AssignmentsRequest,
  HeartbeatRequest,
  HeartbeatResponse,
  PublishLogsMessage,
  SessionMessage,
  SessionRequest,
  SubscriptionMessage,
  UpdateTaskStatusRequest,
  UpdateTaskStatusResponse,
} from '@skep/wire/swarmkit';
import type { NetworkResources } from './network-resources.js';

/**
 * The manager, as a worker calls it: SwarmKit's Dispatcher, LogBroker and ResourceAllocator services
 * (wire.md 1.7, 1.8), on behalf of this node. Every method rejects with an `RpcError`. A stream ends by itself only when the
 * manager wants the session over; aborting `signal` ends it from this side.
 */
export interface ManagerLink extends NetworkResources {
  /** Registers the node. The first message tells the session's id; every message is complete. */
  session(request: SessionRequest, signal: AbortSignal): AsyncIterable<SessionMessage>;
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatResponse>;
  /** An answer means queued at the manager, not committed. */
  updateTaskStatus(request: UpdateTaskStatusRequest): Promise<UpdateTaskStatusResponse>;
  /** First a COMPLETE set, then INCREMENTAL changes, each naming the message it follows. */
  assignments(request: AssignmentsRequest, signal: AbortSignal): AsyncIterable<AssignmentsMessage>;
  listenSubscriptions(signal: AbortSignal): AsyncIterable<SubscriptionMessage>;
  /** One call a subscription; the last message has `close` set. */
  publishLogs(messages: AsyncIterable<PublishLogsMessage>): Promise<void>;
}
