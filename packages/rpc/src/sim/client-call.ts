import { type Cancel, Code, RpcError } from '@skep/platform';
import type { CallLimit } from '../client/call-limit.js';
import type { OutgoingCall } from '../client/connection.js';
import { canceled } from '../errors.js';
import { Inbox, SendWindow } from './flow.js';
import type { CallSegment } from './segment.js';

/** What a call asks of the connection it is made over. */
export interface CallCarrier {
  send(segment: CallSegment): void;
  /** The call is over. */
  forget(call: number): void;
  /** The call got no answer in time. */
  onTimeout(startedMs: number): void;
}

/** The caller's side of a simulated call. */
export class SimClientCall implements OutgoingCall {
  readonly #number: number;
  readonly #carrier: CallCarrier;
  readonly #limit: CallLimit;
  readonly #inbox: Inbox;
  readonly #window = new SendWindow();
  readonly #closeListeners = new Set<() => void>();
  #isOver = false;

  constructor(number: number, carrier: CallCarrier, limit: CallLimit) {
    this.#number = number;
    this.#carrier = carrier;
    this.#limit = limit;
    this.#inbox = new Inbox(() => this.#send({ kind: 'credit', call: number }));
    limit.whenEnded((error) => this.fail(error));
  }

  get isClosed(): boolean {
    return this.#isOver;
  }

  onClose(listener: () => void): Cancel {
    this.#closeListeners.add(listener);
    return () => void this.#closeListeners.delete(listener);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#send({ kind: 'message', call: this.#number, bytes });
    return this.#window.take();
  }

  end(): void {
    this.#send({ kind: 'end', call: this.#number });
  }

  fail(error: RpcError): void {
    if (this.#isOver) return;
    if (error.code === Code.DEADLINE_EXCEEDED) this.#carrier.onTimeout(this.#limit.startedMs);
    this.#send({ kind: 'cancel', call: this.#number });
    this.#inbox.cutOff(() => error);
    this.#finish();
  }

  /** The connection broke. */
  breakOff(error: RpcError): void {
    this.#inbox.cutOff(() => error);
    this.#finish();
  }

  receive(segment: CallSegment): void {
    switch (segment.kind) {
      case 'message':
        this.#inbox.push(segment.bytes);
        break;
      case 'credit':
        this.#window.credit();
        break;
      case 'status':
        this.#inbox.end(segment.error && new RpcError(segment.error.code, segment.error.message));
        this.#finish();
        break;
      default:
    }
  }

  async response(): Promise<Uint8Array> {
    let response: Uint8Array | undefined;
    for await (const message of this.#inbox.read()) response = message;
    if (response) return response;
    throw new RpcError(Code.INTERNAL, 'the server ended the call without a response');
  }

  async *messages(): AsyncGenerator<Uint8Array> {
    try {
      for await (const message of this.#inbox.read()) {
        this.#limit.stopTimer();
        yield message;
      }
    } finally {
      if (!this.#isOver) this.fail(canceled());
    }
  }

  #send(segment: CallSegment): void {
    if (!this.#isOver) this.#carrier.send(segment);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limit.dispose();
    this.#window.open();
    for (const listener of this.#closeListeners) listener();
    this.#carrier.forget(this.#number);
  }
}
