import type { ManagerLink } from '@skep/agent';
import type { Clock } from '@skep/platform';
import type { Channel, Dialer } from '@skep/rpc';
import type { SessionMessage, SessionRequest } from '@skep/wire/swarmkit';
import { channelNetworks, type NetworksFollower, withNetworks } from '../networks/index.js';
import type { RemoteManager } from '../remotes/remotes.js';
import { channelLink } from './channel-link.js';
import { CONNECTION_PATIENCE_MAX_MS, CONNECTION_PATIENCE_MS } from './limits.js';

/** The managers to choose from, as `Remotes` knows them. */
export interface ManagerChoice {
  /** `avoid`: the address of the one that was tried in vain last, where there is another. */
  choose(avoid: string | undefined): RemoteManager;
  observe(manager: RemoteManager, isGood: boolean): void;
}

export interface AgentConnectorOptions {
  clock: Clock;
  dialer: Dialer;
  remotes: ManagerChoice;
  /** Follows the tables of the manager of each session. */
  networks?: NetworksFollower | undefined;
}

/** The agent's way to a manager: one at a time, another after each session that ended. */
export class AgentConnector {
  readonly #options: AgentConnectorOptions;
  #channel: Channel | undefined;
  #manager: RemoteManager | undefined;
  #avoid: string | undefined;
  #patienceMs = CONNECTION_PATIENCE_MS;

  constructor(options: AgentConnectorOptions) {
    this.#options = options;
  }

  /** The manager of the session there is, or of the attempt at one. */
  get manager(): RemoteManager | undefined {
    return this.#manager;
  }

  /** The channel of the session there is, for what else goes to its manager. */
  get channel(): Channel | undefined {
    return this.#channel;
  }

  /** A manager to open a session with. Rejects with UNAVAILABLE when none is known. */
  async connect(): Promise<ManagerLink> {
    this.close();
    const manager = this.#options.remotes.choose(this.#avoid);
    const channel = this.#options.dialer.dial(manager.address, { serverName: 'swarm-manager' });
    this.#channel = channel;
    this.#manager = manager;
    const { clock, networks } = this.#options;
    const plain = channelLink(channel, clock);
    const link = networks ? withNetworks(plain, channelNetworks(channel), networks) : plain;
    return {
      ...link,
      session: (request, signal) => this.#session(link, { channel, manager }, request, signal),
    };
  }

  /** Ends the session there is. */
  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#manager = undefined;
  }

  /**
   * The session's messages; its end is the end of all that goes over its channel. A manager whose
   * session ended, for whatever reason, is not the first choice for the next one.
   */
  async *#session(
    link: ManagerLink,
    { channel, manager }: { channel: Channel; manager: RemoteManager },
    request: SessionRequest,
    signal: AbortSignal,
  ): AsyncIterable<SessionMessage> {
    const { clock, remotes } = this.#options;
    let isOver = false;
    let isRegistered = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      cancel();
      forget();
      this.#avoid = isRegistered ? undefined : manager.address;
      remotes.observe(manager, false);
      if (this.#channel === channel) this.close();
      else channel.close();
    };
    const cancel = clock.after(this.#patienceMs, () => {
      this.#patienceMs = Math.min(2 * this.#patienceMs, CONNECTION_PATIENCE_MAX_MS);
      end();
    });
    const forget = channel.onConnection((isUp) => {
      if (isUp) cancel();
    });
    // Whoever reads may be busy with a message when the session is given up.
    signal.addEventListener('abort', end, { once: true });
    try {
      for await (const message of link.session(request, signal)) {
        if (!isRegistered) remotes.observe(manager, true);
        isRegistered = true;
        this.#patienceMs = CONNECTION_PATIENCE_MS;
        yield message;
      }
    } finally {
      signal.removeEventListener('abort', end);
      end();
    }
  }
}
