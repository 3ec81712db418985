import { createSocket } from 'node:dgram';
import type { NamespacePath } from '../kernel/contract.js';
import type { SocketOpener } from '../kernel/socket-contract.js';
import { PROBE_PORT } from './limits.js';

export interface ProbeSocket {
  /** Sends to the probes' port of an address; what cannot be sent is lost. */
  send(message: Uint8Array, address: string): void;
  close(): void;
}

/** The only way in which probes reach sockets. */
export interface ProbeSockets {
  /** Opens the probes' UDP port at an address in a namespace. Rejects with what the kernel says. */
  open(
    namespace: NamespacePath,
    address: string,
    onMessage: (message: Uint8Array, from: string) => void,
  ): Promise<ProbeSocket>;
}

/** The machine's sockets. Needs root. */
export class RealProbeSockets implements ProbeSockets {
  readonly #opener: SocketOpener;

  constructor(opener: SocketOpener) {
    this.#opener = opener;
  }

  async open(
    namespace: NamespacePath,
    address: string,
    onMessage: (message: Uint8Array, from: string) => void,
  ): Promise<ProbeSocket> {
    const near = { address, port: PROBE_PORT };
    const fd = await this.#opener.openSocket({ namespace, protocol: 'udp', family: 4, near });
    // Addresses are numbers here: nothing is to be looked up.
    const lookup = (host: string, _options: unknown, done: LookupDone) => done(null, host, 4);
    const socket = createSocket({ type: 'udp4', lookup });
    const ignored = () => {};
    socket.on('message', (message, { address: from }) => onMessage(message, from));
    socket.on('error', ignored);
    socket.bind({ fd, exclusive: true });
    let isOpen = true;
    return {
      send: (message, to) => {
        if (isOpen) socket.send(message, PROBE_PORT, to, ignored);
      },
      close: () => {
        if (isOpen) socket.close();
        isOpen = false;
      },
    };
  }
}

type LookupDone = (error: null, address: string, family: number) => void;
