import { Code, RpcError } from '@skep/platform';
import { splitAddress } from '../address.js';
import type { CallLimit } from '../client/call-limit.js';
import type { CallStart, Connection, ConnectOptions } from '../client/connection.js';
import { connectionError, NotSentError } from '../errors.js';
import { CONNECT_TIMEOUT_MS, PROBE_TIMEOUT_MS } from '../limits.js';
import { type CallCarrier, SimClientCall } from './client-call.js';
import type { CallSegment, Segment } from './segment.js';
import type { SimWire, WireEnd } from './wire.js';

/** Why the server that shows this certificate is not to be trusted; undefined when it is. */
export type ServerCheck = (certificatePem: string) => string | undefined;

/** The dialing end of a simulated connection. */
export class SimClientConnection implements Connection, WireEnd, CallCarrier {
  readonly #wire: SimWire;
  readonly #options: ConnectOptions;
  readonly #check: ServerCheck;
  readonly #calls = new Map<number, SimClientCall>();
  #nextCall = 1;
  #isUsable = false;
  #isDraining = false;
  #isOver = false;
  #receivedMs: number;
  #settle: ((error?: RpcError) => void) | undefined;

  private constructor(wire: SimWire, options: ConnectOptions, check: ServerCheck) {
    this.#wire = wire;
    this.#options = options;
    this.#check = check;
    this.#receivedMs = options.clock.monotonic();
  }

  /** Connects within the time the real twin gives it. Rejects with {@link NotSentError}. */
  static open(
    wire: SimWire,
    options: ConnectOptions,
    check: ServerCheck,
  ): Promise<SimClientConnection> {
    const connection = new SimClientConnection(wire, options, check);
    wire.attach('client', connection);
    return connection.#connect();
  }

  get isUsable(): boolean {
    return this.#isUsable && !this.#isDraining;
  }

  call(start: CallStart, limit: CallLimit): SimClientCall {
    const number = this.#nextCall++;
    const call = new SimClientCall(number, this, limit);
    if (call.isClosed) return call;
    this.#calls.set(number, call);
    this.send({ kind: 'call', call: number, ...start });
    return call;
  }

  send(segment: CallSegment): void {
    this.#wire.send('client', segment);
  }

  forget(call: number): void {
    this.#calls.delete(call);
    if (this.#isDraining && this.#calls.size === 0) this.destroy();
  }

  receive(segment: Segment): void {
    this.#receivedMs = this.#options.clock.monotonic();
    switch (segment.kind) {
      case 'accept':
        this.#onAccept(segment.certificatePem);
        break;
      case 'reset':
        this.#break(segment.reason);
        break;
      case 'connect':
        break;
      default:
        this.#calls.get(segment.call)?.receive(segment);
    }
  }

  /** As the real twin: without a sign of life for a while after it, the connection ends. */
  onTimeout(startedMs: number): void {
    if (this.#receivedMs >= startedMs) return;
    const { clock } = this.#options;
    const askedMs = clock.monotonic();
    clock.after(PROBE_TIMEOUT_MS, () => {
      if (!this.#isOver && this.#receivedMs < askedMs) this.destroy('no sign of life');
    });
  }

  drain(): void {
    this.#isDraining = true;
    this.#options.onUnusable();
    if (this.#calls.size === 0) this.destroy();
  }

  destroy(reason = 'EOF'): void {
    if (this.#isOver) return;
    this.#wire.reset('client', reason);
    this.#break(reason);
  }

  #connect(): Promise<SimClientConnection> {
    const { address, own, clock } = this.#options;
    const cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () => {
      this.#refuse(`Error while dialing: dial tcp ${address}: i/o timeout`);
    });
    return new Promise((resolve, reject) => {
      this.#settle = (error) => {
        this.#settle = undefined;
        cancelTimer();
        if (error) reject(error);
        else resolve(this);
      };
      const { port } = splitAddress(address);
      this.#wire.send('client', { kind: 'connect', port, certificatePem: own?.certificatePem });
    });
  }

  #onAccept(certificatePem: string): void {
    const refusal = this.#check(certificatePem);
    if (refusal !== undefined) {
      this.#refuse(`authentication handshake failed: tls: ${refusal}`);
      return;
    }
    this.#isUsable = true;
    this.#settle?.();
  }

  #refuse(text: string): void {
    this.#settle?.(new NotSentError(connectionError(text)));
    this.destroy();
  }

  #break(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isUsable = false;
    const dialing = `Error while dialing: dial tcp ${this.#options.address}: connect: ${reason}`;
    this.#settle?.(new NotSentError(connectionError(dialing)));
    const text = connectionError(`error reading from server: ${reason}`);
    const error = new RpcError(Code.UNAVAILABLE, text);
    for (const call of [...this.#calls.values()]) call.breakOff(error);
    this.#options.onUnusable();
  }
}
