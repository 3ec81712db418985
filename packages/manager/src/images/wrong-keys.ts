import type { Clock } from '@skep/platform';
import { WRONG_KEYS_KEPT_MS, WRONG_KEYS_MAX } from './limits.js';

/**
 * Keys that were no task's, by the node that asked about them. Nodes ask about what they hold, the
 * same again and again; one that was broken into, and makes keys up to find out credentials, soon
 * has no more tries.
 */
export class WrongKeys {
  readonly #clock: Clock;
  readonly #byNode = new Map<string, { untilMs: number; keys: Set<string> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the node may ask about these, which it may have asked about before. */
  hasTriesFor(nodeId: string, keys: Iterable<string>): boolean {
    const known = this.#of(nodeId);
    let fresh = 0;
    for (const key of keys) if (!known?.has(key)) fresh++;
    return fresh === 0 || (known?.size ?? 0) + fresh <= WRONG_KEYS_MAX;
  }

  add(nodeId: string, keys: Iterable<string>): void {
    const nowMs = this.#clock.monotonic();
    const known = this.#of(nodeId) ?? new Set();
    if (known.size === 0) {
      // Nodes that left the swarm are forgotten, too.
      for (const [id, { untilMs }] of this.#byNode) if (untilMs <= nowMs) this.#byNode.delete(id);
      this.#byNode.set(nodeId, { untilMs: nowMs + WRONG_KEYS_KEPT_MS, keys: known });
    }
    for (const key of keys) known.add(key);
  }

  #of(nodeId: string): Set<string> | undefined {
    const entry = this.#byNode.get(nodeId);
    return entry && entry.untilMs > this.#clock.monotonic() ? entry.keys : undefined;
  }
}
