import { type Clock, Code, RpcError } from '@skep/platform';
import { REGISTRATION_PERIOD_MS, REGISTRATIONS_MAX } from './limits.js';

/** Keeps nodes from opening new sessions in a tight loop. Holds one entry a node of the cluster. */
export class Registrations {
  readonly #clock: Clock;
  readonly #byNode = new Map<string, { lastMs: number; count: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a new session; throws when the node has opened too many in a row. */
  admit(nodeId: string): void {
    const nowMs = this.#clock.monotonic();
    const before = this.#byNode.get(nodeId);
    const inARow = before !== undefined && nowMs - before.lastMs < REGISTRATION_PERIOD_MS;
    const count = inARow ? before.count + 1 : 1;
    if (inARow && count > REGISTRATIONS_MAX) {
      const message = `node ${nodeId} exceeded rate limit count of registrations`;
      throw new RpcError(Code.UNAVAILABLE, message);
    }
    this.#byNode.set(nodeId, { lastMs: nowMs, count });
  }

  forget(nodeId: string): void {
    this.#byNode.delete(nodeId);
  }

  clear(): void {
    this.#byNode.clear();
  }
}
