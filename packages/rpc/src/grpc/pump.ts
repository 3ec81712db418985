import type { Http2Stream } from 'node:http2';
import { encodeFrame } from './frame.js';

/**
 * Writes messages to a stream as they come, no faster than the other side reads, until there are no more (true) or
 * the stream is closed (false). Rejects with what the source throws. The source is always told that it ended.
 */
export async function pump<T>(
  source: AsyncIterable<T>,
  encode: (message: T) => Uint8Array,
  stream: Http2Stream,
): Promise<boolean> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextUnlessClosed(iterator, stream);
      if (next === undefined) return false;
      if (next.done) return true;
      if (!stream.write(encodeFrame(encode(next.value)))) await drained(stream);
    }
  } finally {
    // Not waited for: a generator that waits for its next message cannot end before that.
    iterator.return?.().catch(() => undefined);
  }
}

/** What the source gives next; undefined when the stream is closed before. */
function nextUnlessClosed<T>(
  iterator: AsyncIterator<T>,
  stream: Http2Stream,
): Promise<IteratorResult<T> | undefined> {
  return new Promise((resolve, reject) => {
    if (stream.closed || stream.destroyed) return resolve(undefined);
    const onClose = () => resolve(undefined);
    stream.once('close', onClose);
    const settle = () => void stream.off('close', onClose);
    iterator.next().then(resolve, reject).finally(settle);
  });
}

/** Resolves when the stream takes more, or is closed. */
function drained(stream: Http2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.once('drain', done);
    stream.once('close', done);
    if (stream.closed || stream.destroyed) done();
  });
}
