import type { Clock } from '@skep/platform';
import type { NamespacePath } from '../../kernel/contract.js';
import type { SocketOpener } from '../../kernel/socket-contract.js';
import type {
  NameListener,
  NameProtocol,
  NameServer,
  NameSockets,
  QuestionHandler,
  ServerChannel,
  ServerEvents,
} from './contract.js';
import { openListener } from './listener.js';
import { openChannel } from './server-channel.js';

/** The machine's sockets, in any of its namespaces. Needs root. */
export class RealNameSockets implements NameSockets {
  readonly #opener: SocketOpener;
  readonly #clock: Clock;

  constructor(options: { opener: SocketOpener; clock: Clock }) {
    this.#opener = options.opener;
    this.#clock = options.clock;
  }

  listen(
    namespace: NamespacePath,
    address: string,
    handler: QuestionHandler,
  ): Promise<NameListener> {
    return openListener({
      ...{ opener: this.#opener, clock: this.#clock },
      ...{ namespace, address, handler },
    });
  }

  ask(
    server: NameServer,
    protocol: NameProtocol,
    message: Buffer,
    events: ServerEvents,
  ): ServerChannel {
    return openChannel({ opener: this.#opener, server, protocol, message, events });
  }
}
