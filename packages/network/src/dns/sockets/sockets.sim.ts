import { KernelError, type NamespacePath } from '../../kernel/contract.js';
import { NAME_PORT_MIN } from '../limits.js';
import type {
  NameListener,
  NameProtocol,
  NameServer,
  NameSockets,
  QuestionHandler,
  ServerChannel,
  ServerEvents,
} from './contract.js';

/** What a simulated server does with a message. */
export type SimServer = (message: Buffer, protocol: NameProtocol) => Buffer | 'silent' | 'refuses';

/** Sockets in memory. Servers stand where tests put them; elsewhere nobody listens. */
export class SimNameSockets implements NameSockets {
  readonly #listeners = new Map<NamespacePath, QuestionHandler>();
  readonly #servers = new Map<string, SimServer>();
  /** Whom was asked, in order: `address`, or `address from namespace`. */
  readonly asked: string[] = [];
  /** Ways to servers that are not closed yet. */
  openChannels = 0;
  /** Rejects the next `listen`. */
  refuse: KernelError | undefined;
  /** Holds every `listen` until it resolves. */
  hold: Promise<void> | undefined;

  get listening(): NamespacePath[] {
    return [...this.#listeners.keys()];
  }

  /** `namespace`: from where it can be reached. */
  setServer(address: string, server: SimServer, namespace: NamespacePath = ''): void {
    this.#servers.set(key({ address, namespace }), server);
  }

  async listen(
    namespace: NamespacePath,
    _address: string,
    handler: QuestionHandler,
  ): Promise<NameListener> {
    await this.hold;
    if (this.refuse) throw this.refuse;
    if (this.#listeners.has(namespace)) throw new KernelError('EADDRINUSE', 'bind', 0);
    this.#listeners.set(namespace, handler);
    const close = () => this.#listeners.delete(namespace);
    return { udpPort: NAME_PORT_MIN, tcpPort: NAME_PORT_MIN, close };
  }

  ask(
    server: NameServer,
    protocol: NameProtocol,
    message: Buffer,
    events: ServerEvents,
  ): ServerChannel {
    this.asked.push(key(server));
    this.openChannels++;
    let open = true;
    queueMicrotask(() => {
      const answer = this.#servers.get(key(server))?.(message, protocol) ?? 'refuses';
      if (!open || answer === 'silent') return;
      if (answer === 'refuses') events.onFailure(new Error('ECONNREFUSED'));
      else events.onMessage(answer);
    });
    const close = () => {
      if (open) this.openChannels--;
      open = false;
    };
    return { close };
  }

  /** Sends a message as a process in the namespace would; resolves the answer, when there is one. */
  send(namespace: NamespacePath, message: Buffer, protocol: NameProtocol = 'udp'): Promise<Buffer> {
    const handler = this.#listeners.get(namespace);
    if (!handler) return Promise.reject(new Error(`nobody listens in ${namespace}`));
    return new Promise((resolve) => {
      handler(message, protocol, (answer) => resolve(Buffer.from(answer)));
    });
  }
}

function key({ address, namespace }: NameServer): string {
  return namespace === '' ? address : `${address} from ${namespace}`;
}
