import type { Http2Stream } from 'node:http2';
import type { Sink } from '../pump.js';
import { encodeFrame } from './frame.js';

/** The way out over an HTTP/2 stream. */
export class StreamSink implements Sink {
  readonly #stream: Http2Stream;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }

  get isClosed(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  onClose(listener: () => void): () => void {
    this.#stream.once('close', listener);
    return () => this.#stream.off('close', listener);
  }

  write(message: Uint8Array): Promise<void> | undefined {
    return this.#stream.write(encodeFrame(message)) ? undefined : this.#drained();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const stream = this.#stream;
      const done = () => {
        stream.off('drain', done);
        stream.off('close', done);
        resolve();
      };
      stream.once('drain', done);
      stream.once('close', done);
      if (this.isClosed) done();
    });
  }
}
