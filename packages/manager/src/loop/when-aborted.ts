/**
 * Calls `fn` once when the signal aborts, now if it has. Streams clean up by it: a generator whose reader left
 * without a word never gets to its `finally`. Returns how to take the call back.
 */
export function whenAborted(signal: AbortSignal, fn: () => void): () => void {
  if (signal.aborted) {
    fn();
    return () => {};
  }
  signal.addEventListener('abort', fn, { once: true });
  return () => signal.removeEventListener('abort', fn);
}
