/** Where messages go: a call's way out. */
export interface Sink {
  readonly isClosed: boolean;
  /** Calls `listener` once when the sink is closed; returns how to stop that. */
  onClose(listener: () => void): () => void;
  /**
   * Takes a message; a promise when no more should follow before it resolves (also when closed).
   */
  write(message: Uint8Array): Promise<void> | undefined;
}

/**
 * Writes messages as they come, no faster than the sink takes them, until there are no more (true)
 * or the sink is closed (false). Rejects with what the source throws. The source is always told
 * that it ended.
 */
export async function pump<T>(
  source: AsyncIterable<T> | Iterable<T>,
  encode: (message: T) => Uint8Array,
  sink: Sink,
): Promise<boolean> {
  if (!(Symbol.asyncIterator in source)) return await pumpAll(source, encode, sink);
  const iterator = source[Symbol.asyncIterator]();
  let wake = () => {};
  const stopListening = sink.onClose(() => wake());
  try {
    while (!sink.isClosed) {
      // Undefined when the sink is closed before the source gives anything.
      const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        iterator.next().then(resolve, reject);
      });
      if (next === undefined) return false;
      if (next.done) return true;
      const full = sink.write(encode(next.value));
      if (full) await full;
    }
    return false;
  } finally {
    stopListening();
    // Not waited for: a generator that waits for its next message cannot end before that.
    iterator.return?.().catch(() => undefined);
  }
}

/** The same for messages that are there when they are asked for: nothing is waited for but room. */
async function pumpAll<T>(
  source: Iterable<T>,
  encode: (message: T) => Uint8Array,
  sink: Sink,
): Promise<boolean> {
  for (const message of source) {
    if (sink.isClosed) return false;
    const full = sink.write(encode(message));
    if (full) await full;
  }
  return true;
}
