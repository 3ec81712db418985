/** Messages by TCP have their length, 16 bits, before them (RFC 1035, 4.2.2). */

const LENGTH_BYTES = 2;

export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
  framed.writeUInt16BE(message.length);
  framed.set(message, LENGTH_BYTES);
  return framed;
}

/** Puts messages together from what arrives. Keeps at most one that is not complete. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The messages that are complete with `chunk`. */
  read(chunk: Buffer): Buffer[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    while (rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + rest.readUInt16BE();
      if (rest.length < end) break;
      messages.push(rest.subarray(LENGTH_BYTES, end));
      rest = rest.subarray(end);
    }
    this.#rest = rest;
    return messages;
  }
}
