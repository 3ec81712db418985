import type { Clock, InvariantError } from '@skep/platform';
import { authorize, type Peer } from '../authorize/authorize.js';
import type { ServeOptions } from '../contract.js';
import { asRpcError } from '../errors.js';
import type { MethodTable } from '../methods.js';
import type { CallSegment, Segment } from './segment.js';
import { SimServerCall } from './server-call.js';
import type { SimWire, WireEnd } from './wire.js';

export interface SimServerConnectionOptions extends ServeOptions {
  /** The node's clock. */
  clock: Clock;
  methods: MethodTable;
  onFatal(error: InvariantError): void;
  /** The connection is over. */
  onOver(): void;
}

/** The listening end of a simulated connection. */
export class SimServerConnection implements WireEnd {
  readonly #wire: SimWire;
  readonly #peer: Peer;
  readonly #options: SimServerConnectionOptions;
  readonly #calls = new Map<number, SimServerCall>();

  constructor(wire: SimWire, peer: Peer, options: SimServerConnectionOptions) {
    this.#wire = wire;
    this.#peer = peer;
    this.#options = options;
  }

  receive(segment: Segment): void {
    switch (segment.kind) {
      case 'call':
        this.#onCall(segment);
        break;
      case 'reset':
        this.#end();
        break;
      case 'connect':
      case 'accept':
        break;
      default:
        this.#calls.get(segment.call)?.receive(segment);
    }
  }

  /** Ends the connection and its calls. */
  close(): void {
    this.#wire.reset('server', 'EOF');
    this.#end();
  }

  #end(): void {
    for (const call of [...this.#calls.values()]) call.giveUp();
    this.#options.onOver();
  }

  #onCall({ call, path, metadata, timeoutMs }: CallSegment & { kind: 'call' }): void {
    const { clock, methods, onFatal } = this.#options;
    const send = (segment: CallSegment) => this.#wire.send('server', segment);
    try {
      const served = methods.at(path);
      const authorized = authorize(path, this.#peer, metadata, this.#options);
      const onOver = () => void this.#calls.delete(call);
      const options = { call, clock, timeoutMs, send, onOver, onFatal };
      const serverCall = new SimServerCall(served, authorized, options);
      this.#calls.set(call, serverCall);
      void serverCall.run();
    } catch (error) {
      const { code, message } = asRpcError(error);
      send({ kind: 'status', call, error: { code, message } });
    }
  }
}
