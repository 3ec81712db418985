import { type Clock, Code, type Random, RpcError } from '@skep/platform';
import type { Channel, Dialer, DialOptions, IdentitySource } from '../contract.js';
import { GrpcChannel } from './channel.js';
import type { ConnectOptions } from './client-connection.js';

export interface GrpcDialerOptions {
  identity: IdentitySource;
  clock: Clock;
  random: Random;
}

/** Makes connections as the node whose identity it is given, by gRPC over mutual TLS. */
export class GrpcDialer implements Dialer {
  readonly #options: GrpcDialerOptions;
  readonly #channels = new Set<GrpcChannel>();
  readonly #stopListening: () => void;

  constructor(options: GrpcDialerOptions) {
    this.#options = options;
    this.#stopListening = options.identity.onChange(() => {
      for (const channel of this.#channels) channel.renew();
    });
  }

  dial(address: string, options: DialOptions): Channel {
    const { clock, random } = this.#options;
    const channel = new GrpcChannel(
      address,
      { clock, random, connectOptions: () => this.#connectOptions(address, options) },
      () => this.#channels.delete(channel),
    );
    this.#channels.add(channel);
    return channel;
  }

  /** Closes every channel. */
  close(): void {
    this.#stopListening();
    for (const channel of this.#channels) channel.close();
  }

  #connectOptions(address: string, options: DialOptions): ConnectOptions {
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
