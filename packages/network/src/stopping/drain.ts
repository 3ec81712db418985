import type { Clock } from '@skep/platform';
import type { NamespacePath, NetKernel } from '../kernel/contract.js';
import { DRAIN_LOOK_SPACING_MS, DRAIN_POLL_MS, DRAIN_QUIET_MS } from '../limits.js';

export interface DrainsOptions {
  kernel: Pick<NetKernel, 'inboundConnections'>;
  clock: Clock;
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
    this.#underWay++;
    try {
      for (;;) {
        const count = await this.#options.kernel.inboundConnections(namespace);
        const nowMs = clock.monotonic();
        if (count > 0) lastBusyMs = nowMs;
        const leftMs = startMs + maxMs - nowMs;
        if (leftMs <= 0 || nowMs - lastBusyMs >= DRAIN_QUIET_MS) return count;
        await clock.sleep(Math.min(this.#pollMs(), leftMs), signal);
      }
    } finally {
      this.#underWay--;
    }
  }

  /** The more containers stop at once, the less often is each looked at. */
  #pollMs(): number {
    return Math.max(DRAIN_POLL_MS, this.#underWay * DRAIN_LOOK_SPACING_MS);
  }
}
