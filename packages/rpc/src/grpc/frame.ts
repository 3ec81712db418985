import { Code, RpcError } from '@skep/platform';

/**
 * A message on the stream: a byte that says whether it is compressed, its length in 4, the message.
 */
const PREFIX_BYTES = 5;
const EMPTY = Buffer.alloc(0);

/** A message with its prefix. */
export function encodeFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Cuts a stream of bytes into messages. Holds at most one message of up to `bytesMax` bytes. */
export class FrameDecoder {
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #heldBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Takes bytes that came. Read the messages they complete with {@link next} before taking more.
   */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
  }

  /**
   * The next complete message; undefined until more bytes come. Throws RESOURCE_EXHAUSTED for one
   * that is too large, UNIMPLEMENTED for a compressed one.
   */
  next(): Buffer | undefined {
    if (this.#heldBytes < PREFIX_BYTES) return undefined;
    const prefix = this.#first(PREFIX_BYTES);
    if (prefix[0] !== 0) {
      throw new RpcError(Code.UNIMPLEMENTED, 'grpc: compressed messages are not supported');
    }
    const length = prefix.readUInt32BE(1);
    if (length > this.#bytesMax) {
      const sizes = `${length} vs. ${this.#bytesMax}`;
      const text = `grpc: received message larger than max (${sizes})`;
      throw new RpcError(Code.RESOURCE_EXHAUSTED, text);
    }
    const frameBytes = PREFIX_BYTES + length;
    if (this.#heldBytes < frameBytes) return undefined;
    const frame = this.#first(frameBytes);
    const rest = frame.subarray(frameBytes);
    this.#chunks[0] = rest;
    if (rest.length === 0) this.#chunks.shift();
    this.#heldBytes -= frameBytes;
    return frame.subarray(PREFIX_BYTES, frameBytes);
  }

  /** Whether a message has begun and not ended. */
  get isMidMessage(): boolean {
    return this.#heldBytes > 0;
  }

  /** The first chunk, made at least `length` bytes long by joining what follows. */
  #first(length: number): Buffer {
    const first = this.#chunks[0] ?? EMPTY;
    if (first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
