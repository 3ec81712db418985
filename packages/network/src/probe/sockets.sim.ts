import type { NamespacePath } from '../kernel/contract.js';
import type { ProbeSocket, ProbeSockets } from './sockets.js';

type Receiver = (message: Uint8Array, from: string) => void;

/** Probes' sockets of several nodes on one network, and what its ways let through. */
export class SimProbeSockets implements ProbeSockets {
  readonly #receivers = new Map<string, Receiver>();
  /** Whether a datagram of so many bytes arrives. */
  passes = (_from: string, _to: string, _bytes: number) => true;

  async open(
    _namespace: NamespacePath,
    address: string,
    onMessage: Receiver,
  ): Promise<ProbeSocket> {
    this.#receivers.set(address, onMessage);
    return {
      send: (message, to) => {
        if (this.passes(address, to, message.length)) this.#receivers.get(to)?.(message, address);
      },
      close: () => void this.#receivers.delete(address),
    };
  }

  get addresses(): string[] {
    return [...this.#receivers.keys()];
  }
}
