import { type Cancel, type Clock, InvariantError, type RpcError } from '@skep/platform';
import type { Authorized } from '../authorize/authorize.js';
import { decode, encode } from '../codec.js';
import type { CallContext, Caller } from '../contract.js';
import { EndSignal } from '../end-signal.js';
import { asRpcError, canceled, deadlineExceeded } from '../errors.js';
import type { AnyMessage, ServedMethod } from '../methods.js';
import { pump, type Sink } from '../pump.js';
import { Inbox, SendWindow } from './flow.js';
import type { CallSegment } from './segment.js';

export interface SimServerCallOptions {
  call: number;
  clock: Clock;
  timeoutMs: number | undefined;
  send(segment: CallSegment): void;
  /** The call is over. */
  onOver(): void;
  onFatal(error: InvariantError): void;
}

/** The answering side of a simulated call. */
export class SimServerCall implements CallContext, Sink {
  readonly caller: Caller;
  readonly isRedirected: boolean;
  readonly #served: ServedMethod;
  readonly #options: SimServerCallOptions;
  readonly #inbox: Inbox;
  readonly #window = new SendWindow();
  readonly #end = new EndSignal();
  readonly #cancelTimer: Cancel | undefined;
  #isOver = false;

  constructor(served: ServedMethod, authorized: Authorized, options: SimServerCallOptions) {
    this.caller = authorized.caller;
    this.isRedirected = authorized.isRedirected;
    this.#served = served;
    this.#options = options;
    const { clock, timeoutMs, call } = options;
    this.#inbox = new Inbox(() => options.send({ kind: 'credit', call }));
    if (timeoutMs !== undefined) {
      this.#cancelTimer = clock.after(timeoutMs, () => this.#finish(deadlineExceeded()));
    }
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get isClosed(): boolean {
    return this.#isOver;
  }

  onClose(listener: () => void): Cancel {
    this.signal.addEventListener('abort', listener);
    return () => this.signal.removeEventListener('abort', listener);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    this.#options.send({ kind: 'message', call: this.#options.call, bytes });
    return this.#window.take();
  }

  receive(segment: CallSegment): void {
    switch (segment.kind) {
      case 'message':
        this.#inbox.push(segment.bytes);
        break;
      case 'end':
        this.#inbox.end();
        break;
      case 'credit':
        this.#window.credit();
        break;
      case 'cancel':
        this.giveUp();
        break;
      default:
    }
  }

  /** The caller is gone, or wants no answer any more. */
  giveUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release(canceled);
  }

  /** Answers the call; never rejects. */
  async run(): Promise<void> {
    try {
      await this.#answer();
      this.#finish();
    } catch (error) {
      if (error instanceof InvariantError) this.#options.onFatal(error);
      this.#finish(asRpcError(error));
    }
  }

  async #answer(): Promise<void> {
    const served = this.#served;
    const { input, output } = served.method;
    switch (served.kind) {
      case 'unary': {
        const request = decode(input, await this.#request());
        this.write(encode(output, await served.handler(request, this)));
        return;
      }
      case 'client_streaming':
        this.write(encode(output, await served.handler(this.#requests(), this)));
        return;
      case 'server_streaming':
        return this.#send(served.handler(decode(input, await this.#request()), this));
      case 'bidi_streaming':
        return this.#send(served.handler(this.#requests(), this));
    }
  }

  /** Answers with many messages. */
  async #send(responses: AsyncIterable<AnyMessage>): Promise<void> {
    const { output } = this.#served.method;
    await pump(responses, (response) => encode(output, response), this);
  }

  async #request(): Promise<Uint8Array> {
    for await (const request of this.#inbox.read()) return request;
    throw canceled();
  }

  async *#requests(): AsyncGenerator<AnyMessage> {
    const { input } = this.#served.method;
    for await (const request of this.#inbox.read()) yield decode(input, request);
  }

  #finish(error?: RpcError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { call, send } = this.#options;
    send({
      kind: 'status',
      call,
      error: error && { code: error.code, message: error.message },
    });
    this.#release(error ? () => error : canceled);
  }

  #release(endedBy: () => RpcError): void {
    this.#cancelTimer?.();
    this.#inbox.cutOff(endedBy);
    this.#window.open();
    this.#end.end(endedBy);
    this.#options.onOver();
  }
}
