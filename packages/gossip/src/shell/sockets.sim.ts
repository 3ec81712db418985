import type { Clock } from '@skep/platform';
import type { Address } from '../address.js';
import type { ExchangeOptions, GossipSockets, SocketListener } from './sockets.js';

/** How packets get from one machine to another, by their addresses. */
export interface SimWays {
  /** Calls `arrive` never, once or twice; where `isReliable`, once unless the way is cut. */
  send(from: string, to: string, isReliable: boolean, arrive: () => void): void;
}

/** Machines whose sockets reach each other in memory. */
export class SimGossipNetwork {
  readonly #ways: SimWays;
  readonly #listeners = new Map<string, SocketListener>();

  constructor(ways: SimWays) {
    this.#ways = ways;
  }

  /** Sockets of the machine with that address; `clock` is its own. */
  socketsOf(address: Address, clock: Clock): GossipSockets {
    let own: SocketListener | undefined;
    return {
      open: async (listener) => {
        own = listener;
        this.#listeners.set(address.ip, listener);
      },
      send: (packet, to) => {
        const bytes = Uint8Array.from(packet);
        this.#ways.send(address.ip, to.ip, false, () => {
          this.#listeners.get(to.ip)?.onPacket(bytes, address);
        });
      },
      exchange: (frame, to, options) => this.#exchange(address, clock, frame, to, options),
      close: async () => {
        if (this.#listeners.get(address.ip) === own) this.#listeners.delete(address.ip);
      },
    };
  }

  #exchange(
    from: Address,
    clock: Clock,
    frame: Uint8Array,
    to: Address,
    { wantsAnswer, timeoutMs }: ExchangeOptions,
  ): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => reject(new Error('timed out')));
      const back = (act: () => void) =>
        this.#ways.send(to.ip, from.ip, true, () => {
          cancel();
          act();
        });
      this.#ways.send(from.ip, to.ip, true, () => {
        const listener = this.#listeners.get(to.ip);
        if (!listener) return back(() => reject(new Error('connection refused')));
        if (!wantsAnswer) back(() => resolve(undefined));
        void listener.onStream(frame, from).then((answer) => {
          if (wantsAnswer && answer) back(() => resolve(answer));
          else if (wantsAnswer) back(() => reject(new Error('no answer')));
        });
      });
    });
  }
}
