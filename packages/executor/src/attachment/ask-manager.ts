import { type Clock, Code, RpcError } from '@skep/platform';
import { ATTACH_RETRY_MS, ATTACH_TIMEOUT_MS } from './limits.js';

/** Nobody answered. What was asked for may have been done; asked for again, it is done once. */
const UNANSWERED = [Code.UNAVAILABLE, Code.CANCELED, Code.ABORTED, Code.DEADLINE_EXCEEDED];

export interface Asking<T> {
  clock: Clock;
  /** For messages. */
  network: string;
  ask(): Promise<T>;
  /** Ends the attempts. */
  signal: AbortSignal;
}

/**
 * Asks a manager for an address in a network, again while none can be reached: at the start of a daemon the
 * containers are there before the session with a manager is. Rejects in Docker's words.
 */
export async function askManager<T>({ ask, clock, network, signal }: Asking<T>): Promise<T> {
  const endMs = clock.monotonic() + ATTACH_TIMEOUT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (!UNANSWERED.includes(error.code)) throw refused(network, error);
      if (clock.monotonic() + ATTACH_RETRY_MS > endMs) throw unreachable(network, error);
    }
    await clock.sleep(ATTACH_RETRY_MS, signal);
  }
}

/** What a manager said; Docker loses its code on the way. */
function refused(network: string, cause: RpcError): RpcError {
  const text = `Could not attach to network ${network}: ${cause.toGoString()}`;
  return new RpcError(Code.UNKNOWN, text, { cause });
}

function unreachable(network: string, cause: RpcError): RpcError {
  const text =
    `Could not attach to network ${network}: no manager of the swarm could be reached within ` +
    `${ATTACH_TIMEOUT_MS / 1_000} s: ${cause.message}`;
  return new RpcError(Code.UNAVAILABLE, text, { cause });
}

export function attachTimeout(): RpcError {
  return new RpcError(
    Code.UNKNOWN,
    'attaching to network failed, make sure your network options are correct and check manager ' +
      'logs: context deadline exceeded',
  );
}
