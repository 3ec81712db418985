import type { IncomingMessage } from 'node:http';
import { DISCARDED_BYTES_MAX } from '../limits.js';

/**
 * Reads what is left of a body and throws it away, up to a bound. Clients that write while we answer and
 * close would meet a broken pipe instead of our answer; past the bound they may.
 */
export function discardBody(message: IncomingMessage): Promise<void> {
  const declaredBytes = Number(message.headers['content-length'] ?? 0);
  if (message.complete || message.destroyed || declaredBytes > DISCARDED_BYTES_MAX) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    let bytes = 0;
    const onData = (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > DISCARDED_BYTES_MAX) done();
    };
    const done = () => {
      message.off('data', onData).off('end', done).off('close', done).off('error', done);
      resolve();
    };
    message.on('data', onData).on('end', done).on('close', done).on('error', done);
    message.resume();
  });
}
