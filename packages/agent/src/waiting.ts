import { type Clock, Code, RpcError } from '@skep/platform';

/** Rejects with DEADLINE_EXCEEDED when `promise` has not settled in time. What it was doing goes on unseen. */
export async function within<T>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(timeoutMs, () => {
      reject(new RpcError(Code.DEADLINE_EXCEEDED, `${what}: no answer in ${timeoutMs} ms`));
    });
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}

/** Rejects with the signal's reason as soon as it aborts, though `promise` may not have settled. */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
