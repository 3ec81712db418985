import type { Clock } from '@skep/platform';
import type { NamespacePath, NetKernel } from '../kernel/contract.js';
import { LISTEN_PAUSE_FACTOR, LISTEN_PAUSE_MS_MAX, LISTEN_PAUSE_MS_MIN } from '../limits.js';

export interface ListeningOptions {
  kernel: Pick<NetKernel, 'listeningPorts'>;
  clock: Clock;
  namespace: NamespacePath;
  ports: readonly number[];
  /** The last look is taken after this time; 0: there is one. */
  maxMs: number;
}

/**
 * Whether a namespace listens on all of the ports in time. Nothing tells of a socket that begins to
 * listen, so it is looked at, and less and less often: most programs listen soon or late. Rejects with
 * the signal's reason, and with what the kernel refuses.
 */
export async function untilListening(
  { clock, kernel, maxMs, namespace, ports }: ListeningOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const endMs = clock.monotonic() + maxMs;
  for (let pauseMs = LISTEN_PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, LISTEN_PAUSE_MS_MAX)) {
    const lookedAtMs = clock.monotonic();
    const found = new Set(await kernel.listeningPorts(namespace));
    if (ports.every((port) => found.has(port))) return true;
    const nowMs = clock.monotonic();
    if (nowMs >= endMs) return false;
    const restMs = Math.max(pauseMs, LISTEN_PAUSE_FACTOR * (nowMs - lookedAtMs));
    await clock.sleep(Math.min(restMs, endMs - nowMs), signal);
  }
}
