import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import { type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import type { CallLimit } from '../client/call-limit.js';
import type { CallStart, Connection, ConnectOptions } from '../client/connection.js';
import { connectionError, NotSentError } from '../errors.js';
import {
  CONNECTION_WINDOW_BYTES,
  PROBE_INTERVAL_MS,
  PROBE_TIMEOUT_MS,
  SESSION_MEMORY_MB,
  STREAM_WINDOW_BYTES,
} from '../limits.js';
import { ClientCall } from './client-call.js';
import { dialText } from './go-text.js';
import { openLocalSocket, openTlsSocket } from './sockets.js';
import { CONTENT_TYPE, timeoutHeader } from './status.js';

const USER_AGENT = 'skep';

/** What a connection needs once its socket stands. */
interface SessionOptions extends Pick<ConnectOptions, 'clock' | 'onUnusable'> {
  /** `https://` and the server's name; a socket of this machine has neither. */
  origin: string;
}

/** An HTTP/2 connection to a server. Once it breaks or drains, it takes no more calls. */
export class ClientConnection implements Connection {
  readonly #session: http2.ClientHttp2Session;
  readonly #clock: Clock;
  readonly #onUnusable: () => void;
  #isUsable = true;
  #brokenBy: Error | undefined;
  #receivedMs: number;
  #probedMs = Number.NEGATIVE_INFINITY;

  private constructor(socket: Duplex, { clock, origin, onUnusable }: SessionOptions) {
    this.#clock = clock;
    this.#onUnusable = onUnusable;
    this.#receivedMs = clock.monotonic();
    const session = http2.connect(origin, {
      // The connection stands, so that a server that selects no protocol (a renewed dockerd) will
      // do.
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
      maxSessionMemory: SESSION_MEMORY_MB,
    });
    this.#session = session;
    session.once('connect', () => {
      // Told a turn late, when the caller may have given the connection up.
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    });
    session.on('goaway', () => this.#endUse());
    session.on('close', () => this.#endUse());
    session.on('error', (error) => {
      this.#brokenBy ??= error;
      this.#endUse();
    });
  }

  /** Connects over TLS. Rejects with {@link NotSentError}, in Go's words. */
  static async open(options: ConnectOptions): Promise<ClientConnection> {
    const origin = `https://${options.serverName}`;
    try {
      return new ClientConnection(await openTlsSocket(options), { ...options, origin });
    } catch (error) {
      const text = connectionError(dialText(error, options.address));
      throw new NotSentError(text, { cause: error });
    }
  }

  /** Connects to the socket of a program of this machine, which is trusted. Rejects as {@link open}. */
  static async openLocal(
    path: string,
    options: Pick<ConnectOptions, 'clock' | 'onUnusable'>,
  ): Promise<ClientConnection> {
    try {
      const socket = await openLocalSocket(path);
      return new ClientConnection(socket, { ...options, origin: 'http://localhost' });
    } catch (error) {
      const text = connectionError(dialText(error, path, 'unix'));
      throw new NotSentError(text, { cause: error });
    }
  }

  /** Whether new calls may be made. */
  get isUsable(): boolean {
    return this.#isUsable && !this.#session.closed && !this.#session.destroyed;
  }

  call({ path, metadata, timeoutMs }: CallStart, limit: CallLimit): ClientCall {
    const headers = {
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': CONTENT_TYPE,
      'user-agent': USER_AGENT,
      ...metadata,
      ...timeoutHeader(timeoutMs),
    };
    try {
      return new ClientCall(this.#session.request(headers), this, limit);
    } catch (error) {
      this.#endUse();
      throw new NotSentError(connectionError(errorMessage(error)), { cause: error });
    }
  }

  /** Something came from the other side, which is alive therefore. */
  received(): void {
    this.#receivedMs = this.#clock.monotonic();
  }

  /** Whether the connection broke, and not only one of its calls. */
  get isBroken(): boolean {
    return this.#session.destroyed || this.#brokenBy !== undefined;
  }

  /**
   * The error of calls under way when the connection broke: whether they were acted on is not
   * known.
   */
  brokenError(): RpcError {
    const reason = this.#brokenBy ? errorMessage(this.#brokenBy) : 'EOF';
    const text = connectionError(`error reading from server: ${reason}`);
    return new RpcError(Code.UNAVAILABLE, text, { cause: this.#brokenBy });
  }

  /**
   * A call from `sinceMs` on (monotonic) got no answer in time. If nothing came at all since then,
   * the other side is asked for a sign of life; without one the connection ends, where TCP alone
   * would wait many minutes.
   */
  probe(sinceMs: number): void {
    const nowMs = this.#clock.monotonic();
    if (this.#receivedMs >= sinceMs || this.isBroken) return;
    const isAllowed =
      this.#receivedMs > this.#probedMs || nowMs - this.#probedMs >= PROBE_INTERVAL_MS;
    if (!isAllowed) return;
    this.#probedMs = nowMs;
    const cancelTimer = this.#clock.after(PROBE_TIMEOUT_MS, () => {
      if (this.#receivedMs < nowMs) this.destroy(new Error('no sign of life'));
    });
    this.#session.ping(() => cancelTimer());
  }

  /** Takes no more calls; closes when those under way have ended. */
  drain(): void {
    this.#endUse();
    this.#session.close();
  }

  /** Ends at once, and all calls with it. */
  destroy(reason?: Error): void {
    this.#brokenBy ??= reason;
    this.#session.destroy();
    this.#endUse();
  }

  #endUse(): void {
    this.#isUsable = false;
    this.#onUnusable();
  }
}
