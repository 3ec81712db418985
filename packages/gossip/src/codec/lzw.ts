import { GossipFormatError } from '../errors.js';

/**
 * Unpacking LZW as Go's compress/lzw packs it for memberlist: least significant bit first, literals of 8
 * bits, codes to clear (256) and to end (257), as in GIF pictures. We send nothing packed: what there is
 * to say is short, and peers take it as it is.
 */

const CLEAR = 256;
const END = 257;
const WIDTH_MIN = 9;
const WIDTH_MAX = 12;
const CODES = 1 << WIDTH_MAX;

/** Throws {@link GossipFormatError} for what is not packed so, or is longer than `bytesMax`. */
export function unpackLzw(packed: Uint8Array, bytesMax: number): Buffer {
  return new Unpacking(packed, bytesMax).run();
}

/** Room for a packet; a state exchange grows it. */
const OUTPUT_BYTES = 4_096;

class Unpacking {
  readonly #packed: Uint8Array;
  readonly #bytesMax: number;
  /** Of each code from 258 on: the code of all but its last byte, that byte, and its length. */
  readonly #prefixes = new Uint16Array(CODES);
  readonly #suffixes = new Uint8Array(CODES);
  readonly #lengths = new Uint16Array(CODES);
  #output = Buffer.alloc(OUTPUT_BYTES);
  #length = 0;
  #at = 0;
  #bits = 0;
  #bitCount = 0;
  #width = WIDTH_MIN;
  /** The code that is defined by the next one read; none after a clearing, when this is `END`. */
  #newest = END;
  #last: number | undefined;

  constructor(packed: Uint8Array, bytesMax: number) {
    this.#packed = packed;
    this.#bytesMax = bytesMax;
  }

  run(): Buffer {
    for (;;) {
      const code = this.#read();
      if (code === END) return this.#output.subarray(0, this.#length);
      if (code === CLEAR) this.#clear();
      else this.#take(code);
    }
  }

  #clear(): void {
    this.#width = WIDTH_MIN;
    this.#newest = END;
    this.#last = undefined;
  }

  #take(code: number): void {
    const last = this.#last;
    const isNext = code === this.#newest;
    if (code > this.#newest || (isNext && last === undefined)) {
      throw new GossipFormatError('packed data with a code that stands for nothing');
    }
    if (last !== undefined && this.#newest < CODES) {
      // A code that is just being defined stands for the last one and that one's own first byte.
      this.#prefixes[this.#newest] = last;
      this.#suffixes[this.#newest] = this.#firstByte(isNext ? last : code);
      this.#lengths[this.#newest] = this.#lengthOf(last) + 1;
    }
    this.#write(code);
    this.#last = code;
    // A full table stays as it is until it is cleared.
    if (this.#newest < CODES) this.#newest++;
    if (this.#newest === 1 << this.#width && this.#width < WIDTH_MAX) this.#width++;
  }

  #firstByte(code: number): number {
    let first = code;
    while (first >= CLEAR) first = this.#prefixes[first] ?? 0;
    return first;
  }

  #lengthOf(code: number): number {
    return code < CLEAR ? 1 : (this.#lengths[code] ?? 0);
  }

  #write(code: number): void {
    const length = this.#lengthOf(code);
    const end = this.#length + length;
    if (end > this.#bytesMax) throw new GossipFormatError('packed data that unpacks to too much');
    while (end > this.#output.length) {
      this.#output = Buffer.concat([this.#output, Buffer.alloc(this.#output.length)]);
    }
    let left = code;
    for (let at = end - 1; at >= this.#length; at--) {
      this.#output[at] = left < CLEAR ? left : (this.#suffixes[left] ?? 0);
      left = left < CLEAR ? left : (this.#prefixes[left] ?? 0);
    }
    this.#length = end;
  }

  #read(): number {
    while (this.#bitCount < this.#width) {
      const byte = this.#packed[this.#at++];
      if (byte === undefined) throw new GossipFormatError('packed data is cut short');
      this.#bits |= byte << this.#bitCount;
      this.#bitCount += 8;
    }
    const code = this.#bits & ((1 << this.#width) - 1);
    this.#bits >>>= this.#width;
    this.#bitCount -= this.#width;
    return code;
  }
}
