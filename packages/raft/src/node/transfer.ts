import { type Clock, Code, RpcError } from '@skep/platform';
import type { CoreStatus } from '../core/contract.js';
import type { PeerTransport } from '../peers/contract.js';

export interface TransferOptions {
  clock: Clock;
  transport: PeerTransport;
  status(): CoreStatus;
  /** Asks the core to hand over. Throws when it cannot. */
  transfer(to: bigint): void;
  /** Calls `listener` after each change; returns how to stop that. */
  onProgress(listener: () => void): () => void;
}

/**
 * Hands leadership over: to `to`, else to the others in turn, the one reachable longest first.
 * Resolves when this node leads no more. Rejects with UNAVAILABLE when none takes over in time, or
 * none is reachable.
 */
export async function handOver(
  options: TransferOptions,
  to: bigint | undefined,
  timeoutMs: number,
): Promise<void> {
  const { clock, status } = options;
  const deadlineMs = clock.monotonic() + timeoutMs;
  const candidates = to === undefined ? byReachability(options) : [to];
  for (const candidate of candidates) {
    const leftMs = deadlineMs - clock.monotonic();
    if (status().role !== 'leader') return;
    if (leftMs <= 0) break;
    options.transfer(candidate);
    await transferEnds(options, candidate, leftMs);
  }
  if (status().role !== 'leader') return;
  throw new RpcError(Code.UNAVAILABLE, 'raft: no other manager could take over leadership');
}

function byReachability({ transport, status }: TransferOptions): readonly bigint[] {
  const forMs = (raftId: bigint) => transport.activeForMs(raftId) ?? -1;
  const reachable = [...status().voters].filter((raftId) => transport.isActive(raftId));
  return reachable.sort((a, b) => forMs(b) - forMs(a));
}

/** Resolves when this node leads no more, the core has given up, or time is over. */
function transferEnds(
  { clock, status, onProgress }: TransferOptions,
  to: bigint,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancelTimeout();
      stopListening();
      resolve();
    };
    const cancelTimeout = clock.after(timeoutMs, end);
    const stopListening = onProgress(() => {
      const { role, transferTo } = status();
      if (role !== 'leader' || transferTo !== to) end();
    });
  });
}
