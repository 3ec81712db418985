import { randomFillSync } from 'node:crypto';

/** The only source of chance. */
export interface Random {
  /** `length` bytes, cryptographically strong in the real twin. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). */
  float(): number;
}

const TWO_POW_32 = 2 ** 32;

/** Bytes asked of the operating system at a time: the call costs more than the bytes. */
const POOL_BYTES = 4096;

/** The operating system's generator. */
export class RealRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
    return Uint8Array.prototype.slice.call(this.#take(length));
  }

  float(): number {
    return this.#take(4).readUInt32BE() / TWO_POW_32;
  }

  /** Part of the pool, given out once; what was given out is overwritten when the pool is filled again. */
  #take(length: number): Buffer {
    if (this.#used + length > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#pool.subarray(start, this.#used);
  }
}

/** A repeatable sequence from a seed (mulberry32: small, and good enough to vary a simulation). */
export class SimRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  #next32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next32() & 0xff);
  }

  float(): number {
    return this.#next32() / TWO_POW_32;
  }
}

/** A whole number in [0, limit). */
export function randomBelow(random: Random, limit: number): number {
  return Math.floor(random.float() * limit);
}

/** A random u64 in 1 … 2^63 - 1 (Raft ids, request ids). */
export function randomU63(random: Random): bigint {
  const bytes = random.bytes(8);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0) >> 1n;
  return value === 0n ? 1n : value;
}
