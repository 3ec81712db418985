import type { Random } from './random.js';

/** What a disk writes as one: a sector arrives whole or not at all. */
const SECTOR_BYTES = 512;

/** A growing array of bytes. */
class Content {
  #buffer = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#buffer.slice(offset, Math.max(offset, Math.min(this.#length, offset + length)));
  }

  write(offset: number, data: Uint8Array): void {
    this.resize(Math.max(this.#length, offset + data.length));
    this.#buffer.set(data, offset);
  }

  resize(length: number): void {
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    } else if (length < this.#length) {
      this.#buffer.fill(0, length, this.#length);
    }
    this.#length = length;
  }
}

type Change = { offset: number; data: Uint8Array } | { size: number };

/** A simulated file: what programs see, and what would be found after a power cut. */
export class SimFileNode {
  mode: number;
  modifiedMs = 0;
  #seen = new Content();
  readonly #durable = new Content();
  #unsynced: Change[] = [];

  constructor(mode: number) {
    this.mode = mode;
  }

  get size(): number {
    return this.#seen.length;
  }

  /** Bytes that would be found after a power cut. */
  get durableSize(): number {
    return this.#durable.length;
  }

  /** Of those, the ones before the zeros at the end, which may be room that nothing was written to yet. */
  get durableWritten(): number {
    const bytes = this.#durable.read(0, this.#durable.length);
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return end;
  }

  /** Number of changes made so far and not synced; what a sync that starts now will cover. */
  get unsyncedCount(): number {
    return this.#unsynced.length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#seen.read(offset, length);
  }

  write(offset: number, data: Uint8Array): void {
    const copy = data.slice();
    this.#seen.write(offset, copy);
    this.#unsynced.push({ offset, data: copy });
  }

  resize(size: number): void {
    this.#seen.resize(size);
    this.#unsynced.push({ size });
  }

  /** Makes the first `count` unsynced changes durable. */
  sync(count: number): void {
    for (const change of this.#unsynced.splice(0, count)) apply(this.#durable, change);
  }

  /**
   * What Linux does when writing back fails: programs go on seeing the data, a later sync succeeds,
   * and the disk never gets it.
   */
  forgetUnsynced(count: number): void {
    this.#unsynced.splice(0, count);
  }

  /**
   * Loses what was not synced; given chance, an arbitrary part of it had reached the disk already.
   */
  crash(random: Random | undefined): void {
    if (random) {
      for (const change of this.#unsynced) applyPartly(this.#durable, change, random);
    }
    this.#unsynced = [];
    this.#seen = new Content();
    this.#seen.write(0, this.#durable.read(0, this.#durable.length));
  }

  /** Flips bits where they lie, on the disk: silent corruption. */
  flip(offset: number, mask: number): void {
    for (const content of [this.#seen, this.#durable]) {
      const byte = content.read(offset, 1)[0];
      if (byte !== undefined) content.write(offset, Uint8Array.of(byte ^ mask));
    }
  }
}

function apply(content: Content, change: Change): void {
  if ('size' in change) content.resize(change.size);
  else content.write(change.offset, change.data);
}

function applyPartly(content: Content, change: Change, random: Random): void {
  if ('size' in change) {
    if (random.float() < 0.5) content.resize(change.size);
    return;
  }
  const { offset, data } = change;
  const fate = random.float();
  if (fate < 0.3) return;
  if (fate < 0.6) {
    content.write(offset, data);
    return;
  }
  for (let start = 0; start < data.length; ) {
    const end = Math.min(data.length, start + SECTOR_BYTES - ((offset + start) % SECTOR_BYTES));
    if (random.float() < 0.5) content.write(offset + start, data.subarray(start, end));
    start = end;
  }
}
