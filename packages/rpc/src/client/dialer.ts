import { type Clock, Code, type Random, RpcError } from '@skep/platform';
import type { Channel, Dialer, DialOptions, IdentitySource } from '../contract.js';
import { ConnectorChannel } from './channel.js';
import type { Connection, ConnectOptions } from './connection.js';

export interface DialerOptions {
  identity: IdentitySource;
  clock: Clock;
  random: Random;
}

/** Makes channels as the node whose identity it is given, over connections of either twin. */
export class ConnectionDialer<C extends Connection> implements Dialer {
  readonly #options: DialerOptions;
  readonly #open: (options: ConnectOptions) => Promise<C>;
  readonly #channels = new Set<ConnectorChannel<C>>();
  readonly #stopListening: () => void;

  constructor(options: DialerOptions, open: (options: ConnectOptions) => Promise<C>) {
    this.#options = options;
    this.#open = open;
    this.#stopListening = options.identity.onChange(() => {
      for (const channel of this.#channels) channel.renew();
    });
  }

  dial(address: string, options: DialOptions): Channel {
    const { clock, random } = this.#options;
    const open = async (onUnusable: () => void) =>
      this.#open({ ...this.#connectOptions(address, options), onUnusable });
    const onClose = () => void this.#channels.delete(channel);
    const channel = new ConnectorChannel(address, { clock, random, open }, onClose);
    this.#channels.add(channel);
    return channel;
  }

  /** Closes every channel. */
  close(): void {
    this.#stopListening();
    for (const channel of [...this.#channels]) channel.close();
  }

  #connectOptions(address: string, options: DialOptions): Omit<ConnectOptions, 'onUnusable'> {
    const { serverName, trust = 'roots', withCertificate = true } = options;
    const identity = options.identity ?? this.#options.identity.current();
    const rootPem = options.rootPem ?? identity?.rootPem;
    if (trust === 'roots' && rootPem === undefined) {
      throw new RpcError(Code.FAILED_PRECONDITION, 'no root certificates to trust');
    }
    return {
      address,
      serverName,
      rootPem: trust === 'roots' ? rootPem : undefined,
      own: withCertificate ? identity : undefined,
      clock: this.#options.clock,
    };
  }
}
