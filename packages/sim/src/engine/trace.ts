/** One thing that happened. */
export interface TraceEvent {
  /** Simulated time, ms since the world began. */
  atMs: number;
  /** Machine, client or part of the world it happened to. */
  who: string;
  what: string;
}

export interface TraceOptions {
  /** Events kept, the newest; 200 unless given. All are hashed, kept or not. */
  kept?: number;
}

const KEPT_DEFAULT = 200;
const OFFSET_BASIS = 0x811c9dc5;
const SECOND_BASIS = 0x9747b28c;
const PRIME = 0x01000193;
const SECOND_PRIME = 0x5bd1e995;

/**
 * Everything that happens in a world, in order, as a hash and as the last few events. Two runs of one seed
 * must come to the same hash: where they do not, something in the code under test took time or chance from
 * elsewhere.
 */
export class Trace {
  readonly #kept: number;
  #events: TraceEvent[] = [];
  #count = 0;
  #low = OFFSET_BASIS;
  #high = SECOND_BASIS;

  constructor(options: TraceOptions = {}) {
    this.#kept = options.kept ?? KEPT_DEFAULT;
  }

  /** Number of events so far. */
  get count(): number {
    return this.#count;
  }

  /** 64 bits over all events, in hexadecimal. */
  get hash(): string {
    const digits = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
    return digits(this.#high) + digits(this.#low);
  }

  /** The newest events, oldest first. */
  get last(): readonly TraceEvent[] {
    return this.#events.slice(-this.#kept);
  }

  note(atMs: number, who: string, what: string): void {
    this.#count++;
    this.#mix(`${atMs}|${who}|${what}\n`);
    this.#events.push({ atMs, who, what });
    if (this.#events.length > 2 * this.#kept) this.#events = this.#events.slice(-this.#kept);
  }

  /** FNV-1a and a second lane of another prime: fast, and repeatable is all it must be. */
  #mix(text: string): void {
    let [low, high] = [this.#low, this.#high];
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      low = Math.imul(low ^ code, PRIME);
      high = Math.imul(high ^ code, SECOND_PRIME);
      high ^= high >>> 15;
    }
    [this.#low, this.#high] = [low, high];
  }
}

/** An event as a line for people: `12.345 s  m2  became leader of term 4`. */
export function formatEvent({ atMs, who, what }: TraceEvent): string {
  return `${(atMs / 1000).toFixed(3).padStart(9)} s  ${who.padEnd(8)} ${what}`;
}
