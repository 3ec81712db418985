import type { Channel, Dialer } from '@skep/rpc';

/** One channel to each manager this one forwards calls to; those of former managers are closed. */
export class ManagerChannels {
  readonly #dialer: Dialer;
  readonly #channels = new Map<string, Channel>();

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  to(address: string): Channel {
    let channel = this.#channels.get(address);
    if (!channel) {
      channel = this.#dialer.dial(address, { serverName: 'swarm-manager' });
      this.#channels.set(address, channel);
    }
    return channel;
  }

  /** Closes the channels to all but these addresses. */
  keep(addresses: Iterable<string>): void {
    const kept = new Set(addresses);
    for (const [address, channel] of this.#channels) {
      if (kept.has(address)) continue;
      this.#channels.delete(address);
      channel.close();
    }
  }

  close(): void {
    this.keep([]);
  }
}
