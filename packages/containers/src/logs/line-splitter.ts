import { LOG_LINE_BYTES_MAX } from '../limits.js';

const NEWLINE = 10;

/**
 * Cuts a stream of bytes into lines, each with its newline. A longer one than Docker's 16 KiB comes
 * in pieces, all but the last without newline. What has no newline yet waits in {@link
 * LineSplitter.pending}.
 */
export class LineSplitter {
  #pending: Buffer;

  /** `pending`: the beginning of a line that an earlier splitter left. */
  constructor(pending: Uint8Array = new Uint8Array()) {
    this.#pending = Buffer.from(pending);
  }

  get pending(): Uint8Array {
    return this.#pending;
  }

  /** Lines complete with these bytes. They are copies: `chunk` may be reused by the caller. */
  push(chunk: Uint8Array): Buffer[] {
    const lines: Buffer[] = [];
    let rest =
      this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    while (rest.length > 0) {
      const newline = rest.indexOf(NEWLINE);
      const whole = newline >= 0 && newline < LOG_LINE_BYTES_MAX;
      if (!whole && rest.length < LOG_LINE_BYTES_MAX) break;
      const end = whole ? newline + 1 : LOG_LINE_BYTES_MAX;
      lines.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    this.#pending = rest;
    return lines;
  }

  /** The end of the stream: what is left, if anything, is a line without newline. */
  flush(): Buffer | undefined {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest.length > 0 ? rest : undefined;
  }
}
