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
  try {
    for (;;) {
      const next = await nextUnlessClosed(iterator, sink);
      if (next === undefined) return false;
      if (next.done) return true;
      const full = sink.write(encode(next.value));
      if (full) await full;
    }
  } finally {
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

/** What the source gives next; undefined when the sink is closed before. */
function nextUnlessClosed<T>(
  iterator: AsyncIterator<T>,
  sink: Sink,
): Promise<IteratorResult<T> | undefined> {
  return new Promise((resolve, reject) => {
    if (sink.isClosed) {
      resolve(undefined);
      return;
    }
    const stopListening = sink.onClose(() => resolve(undefined));
    iterator.next().then(resolve, reject).finally(stopListening);
  });
}
