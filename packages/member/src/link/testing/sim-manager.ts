import { create } from '@bufbuild/protobuf';
import { BoundedQueue, Code, newId, RpcError } from '@skep/platform';
import { implement, type SimNetwork } from '@skep/rpc';
import { completeObject, durationFromMs } from '@skep/wire';
import {
  AssignmentsMessage_Type,
  AssignmentsMessageSchema,
  Dispatcher,
  HeartbeatResponseSchema,
  LogBroker,
  NodeSchema,
  type SessionMessage,
  SessionMessageSchema,
  type SessionRequest,
  TaskSchema,
  TaskState,
  UpdateTaskStatusResponseSchema,
} from '@skep/wire/swarmkit';
import type { FakeSwarm } from '../../identity/testing/fake-swarm.js';
import type { RemoteManager } from '../../remotes/remotes.js';

const PORT = 2377;
const PERIOD_MS = 1_000;
const QUEUE_ITEMS_MAX = 100;
export const TASK_ID = 'task1';

/** A manager on the simulated network, without a store: every node has one task. */
export class SimManager {
  readonly self: RemoteManager;
  readonly sessions: { nodeId: string; request: SessionRequest }[] = [];
  readonly states: TaskState[] = [];
  heartbeats = 0;
  readonly #ip: string;
  readonly #swarm: FakeSwarm;
  readonly #network: SimNetwork;
  readonly #member: ReturnType<FakeSwarm['member']>;
  #open: BoundedQueue<SessionMessage>[] = [];

  constructor(network: SimNetwork, swarm: FakeSwarm, ip: string) {
    this.#network = network;
    this.#swarm = swarm;
    this.#ip = ip;
    this.#member = swarm.member('manager');
    this.self = { nodeId: this.#member.nodeId, address: `${ip}:${PORT}` };
  }

  async serve(managers: readonly RemoteManager[]): Promise<void> {
    const { clock, clusterId } = this.#swarm;
    const { credentials, rootPem } = this.#member;
    const identity = { current: () => ({ ...credentials, rootPem }), onChange: () => () => {} };
    const onFatal = (error: Error) => {
      throw error;
    };
    const dispatcher = this.#dispatcher(managers);
    const services = [...this.#swarm.services(), dispatcher, this.#logBroker()];
    const host = this.#network.host(this.#ip).server({ identity, clock, onFatal });
    await host.serve({ address: this.self.address, clusterId, services, isRefused: () => false });
  }

  /** Ends all sessions, as a manager does that stops. */
  endSessions(): void {
    const over = new RpcError(Code.ABORTED, 'node must disconnect');
    for (const session of this.#open.splice(0)) session.end(over);
  }

  #dispatcher(managers: readonly RemoteManager[]) {
    return implement(Dispatcher, {
      session: (request, { caller }) => this.#session(managers, request, caller.identity!.nodeId),
      heartbeat: async () => {
        this.heartbeats++;
        return create(HeartbeatResponseSchema, { period: durationFromMs(PERIOD_MS) });
      },
      updateTaskStatus: async ({ updates }) => {
        this.states.push(...updates.map(({ status }) => status!.state));
        return create(UpdateTaskStatusResponseSchema);
      },
      assignments: (_request, { caller, signal }) =>
        this.#assignments(caller.identity!.nodeId, signal),
    });
  }

  async *#session(
    managers: readonly RemoteManager[],
    request: SessionRequest,
    nodeId: string,
  ): AsyncIterable<SessionMessage> {
    this.sessions.push({ nodeId, request });
    const messages = new BoundedQueue<SessionMessage>(QUEUE_ITEMS_MAX);
    this.#open.push(messages);
    yield create(SessionMessageSchema, {
      sessionId: request.sessionId || newId(this.#swarm.random),
      node: completeObject('node', create(NodeSchema, { id: nodeId })),
      managers: managers.map((one) => ({
        peer: { nodeId: one.nodeId, addr: one.address },
        weight: 10n,
      })),
    });
    yield* messages;
  }

  async *#assignments(nodeId: string, signal: AbortSignal) {
    const task = create(TaskSchema, {
      id: TASK_ID,
      nodeId,
      desiredState: TaskState.RUNNING,
      status: { state: TaskState.ASSIGNED },
      spec: { runtime: { case: 'container', value: { image: 'busybox' } } },
    });
    yield create(AssignmentsMessageSchema, {
      type: AssignmentsMessage_Type.COMPLETE,
      resultsIn: '1',
      changes: [{ assignment: { item: { case: 'task', value: task } } }],
    });
    await aborted(signal);
  }

  #logBroker() {
    return implement(LogBroker, {
      // biome-ignore lint/correctness/useYield: nobody asks for logs here
      listenSubscriptions: async function* (_request, { signal }) {
        await aborted(signal);
      },
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
