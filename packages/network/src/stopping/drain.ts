import type { Clock } from '@skep/platform';
import type { NamespacePath, NetKernel } from '../kernel/contract.js';
import {
  DRAIN_LOOK_SPACING_MS,
  DRAIN_POLL_MS,
  DRAIN_QUIET_MS,
  DRAIN_RECOUNT_MS,
} from '../limits.js';

export interface DrainsOptions {
  kernel: Pick<NetKernel, 'inboundConnections' | 'tcpSockets'>;
  clock: Clock;
}

/** What was last seen of a container's sockets. */
interface Look {
  sockets: number;
  connections: number;
  atMs: number;
}

/**
 * Waits until nobody is connected to a container. Sockets are looked at, not tracked flows: those are
 * there in every namespace, and tell who was called from who called.
 */
export class Drains {
  readonly #options: DrainsOptions;
  #underWay = 0;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /**
   * Resolves the number of connections that are left: 0 once there were none for a moment, in which
   * packets that were on their way when the last balancer let go have arrived; or that of the last look
   * within `maxMs`. Rejects with the signal's reason, and with what the kernel refuses.
   */
  async wait(namespace: NamespacePath, maxMs: number, signal: AbortSignal): Promise<number> {
    const { clock } = this.#options;
    const startMs = clock.monotonic();
    let lastBusyMs = startMs;
    let look: Look | undefined;
    this.#underWay++;
    try {
      for (;;) {
        look = await this.#look(namespace, look);
        const nowMs = clock.monotonic();
        if (look.connections > 0) lastBusyMs = nowMs;
        const leftMs = startMs + maxMs - nowMs;
        if (leftMs <= 0 || nowMs - lastBusyMs >= DRAIN_QUIET_MS) return look.connections;
        await clock.sleep(Math.min(this.#pollMs(), leftMs), signal);
      }
    } finally {
      this.#underWay--;
    }
  }

  /**
   * A listing costs milliseconds, on a host with many sockets more; so it is read again only when the
   * number of sockets is another, and now and then.
   */
  async #look(namespace: NamespacePath, last: Look | undefined): Promise<Look> {
    const { clock, kernel } = this.#options;
    const sockets = await kernel.tcpSockets(namespace);
    const atMs = clock.monotonic();
    const isSame = last?.sockets === sockets && atMs - last.atMs < DRAIN_RECOUNT_MS;
    if (last && isSame) return last;
    return { sockets, atMs, connections: await kernel.inboundConnections(namespace) };
  }

  /** The more containers stop at once, the less often is each looked at. */
  #pollMs(): number {
    return Math.max(DRAIN_POLL_MS, this.#underWay * DRAIN_LOOK_SPACING_MS);
  }
}
