import type { Clock, RpcError } from '@skep/platform';
import type { ServerName } from '../contract.js';
import type { Metadata } from '../metadata.js';
import type { Sink } from '../pump.js';
import type { CallLimit } from './call-limit.js';

/** With whom to connect, and as whom. */
export interface ConnectOptions {
  address: string;
  serverName: ServerName;
  /** PEM of the roots that must vouch for the server; undefined to trust anyone. */
  rootPem: string | undefined;
  /** What this side shows; undefined for nothing. */
  own: { certificatePem: string; keyPem: string } | undefined;
  clock: Clock;
  /** The connection takes no more calls, for whatever reason. May be called more than once. */
  onUnusable(): void;
}

/** A connection to a server, of either twin. Once it breaks or drains, it takes no more calls. */
export interface Connection {
  /** Whether new calls may be made. */
  readonly isUsable: boolean;
  /** Begins a call that ends when its limit is reached. Throws `NotSentError` when it cannot. */
  call(start: CallStart, limit: CallLimit): OutgoingCall;
  /** Takes no more calls; closes when those under way have ended. */
  drain(): void;
  /** Ends at once, and all calls with it. */
  destroy(): void;
}

/** What the other side is told of a call at first. */
export interface CallStart {
  /** `/package.Service/Method`. */
  path: string;
  metadata: Metadata;
  /** How long the caller waits, ms. */
  timeoutMs: number | undefined;
}

/** A call from its caller's side: requests are written to it. */
export interface OutgoingCall extends Sink {
  /** No more requests. */
  end(): void;
  /** Ends the call from this side, with the error its reader gets. */
  fail(error: RpcError): void;
  /** The one message of a call that answers with one. */
  response(): Promise<Uint8Array>;
  /** Messages as they come, no faster than they are taken. Leaving the iteration ends the call. */
  messages(): AsyncIterable<Uint8Array>;
}
