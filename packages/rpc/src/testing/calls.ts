import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { Peers, TakenSchema } from '@skep/wire/skep';
import * as sk from '@skep/wire/swarmkit';
import {
  type BoundService,
  type CallContext,
  type CallOptions,
  type Channel,
  implement,
} from '../contract.js';

/** A dispatcher that answers heartbeats after `before`. */
export function heartbeatService(
  before: (context: CallContext) => unknown = () => undefined,
): BoundService {
  return implement(sk.Dispatcher, {
    heartbeat: async (_request, context) => {
      await before(context);
      return create(sk.HeartbeatResponseSchema, { period: { seconds: 5n } });
    },
  });
}

/** Calls {@link heartbeatService}. */
export function heartbeat(channel: Channel, options?: CallOptions): Promise<sk.HeartbeatResponse> {
  return channel.unary(sk.Dispatcher.method.heartbeat, { sessionId: 'session' }, options);
}

/** The RpcError a promise rejects with; throws when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<RpcError> {
  const outcome = await promise.then(
    () => new Error('it succeeded'),
    (error: unknown) => error,
  );
  if (outcome instanceof RpcError) return outcome;
  throw outcome;
}

/** A promise with its means. */
export function deferred<T = void>(): {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** What a channel tells of its connections, with a way to wait for the next. */
export class ConnectionEvents {
  readonly seen: boolean[] = [];
  #wake = () => {};

  constructor(channel: Channel) {
    channel.onConnection((isUp) => {
      this.seen.push(isUp);
      this.#wake();
    });
  }

  /** Resolves when so many were told. */
  async count(wanted: number): Promise<void> {
    while (this.seen.length < wanted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Answers each request of an exchange, and refuses the one with index 0. */
export function peersService(seen: bigint[]): BoundService {
  return implement(Peers, {
    async *exchange(requests) {
      for await (const { message } of requests) {
        if (message?.index === 0n) throw new RpcError(Code.INVALID_ARGUMENT, 'enough');
        seen.push(message?.index ?? -1n);
        yield create(TakenSchema);
      }
    },
  });
}
