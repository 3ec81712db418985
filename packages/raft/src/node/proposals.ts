import { Code, RpcError } from '@skep/platform';
import { EntryType, type LogEntry } from '../log/entry.js';

export interface ProposalLimits {
  entries: number;
  bytes: number;
}

/** Entries proposed and not yet applied: those being written, and those waiting for it. */
export class Proposals {
  readonly #limits: ProposalLimits;
  #waiting: LogEntry[] = [];
  #writing: readonly LogEntry[] = [];
  #bytes = 0;

  constructor(limits: ProposalLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#waiting.length + this.#writing.length;
  }

  /** Payload bytes of them all. */
  get bytes(): number {
    return this.#bytes;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Throws RESOURCE_EXHAUSTED when one more entry of this length is too much. */
  checkLimits(bytes: number): void {
    if (this.count < this.#limits.entries && this.#bytes + bytes <= this.#limits.bytes) return;
    throw new RpcError(Code.RESOURCE_EXHAUSTED, 'raft: too many proposals under way');
  }

  add(index: bigint, term: bigint, data: Uint8Array): void {
    this.#waiting.push({ index, term, type: EntryType.EntryNormal, data });
    this.#bytes += data.length;
  }

  /**
   * The next entries to write: at least one, within the limits. They stay pending until `finish`.
   */
  take(limits: ProposalLimits): readonly LogEntry[] {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#waiting) {
      bytes += entry.data.length;
      if (count > 0 && (count >= limits.entries || bytes > limits.bytes)) break;
      count++;
    }
    this.#writing = this.#waiting.splice(0, count);
    return this.#writing;
  }

  /** The taken entries are written. */
  finish(): void {
    for (const entry of this.#writing) this.#bytes -= entry.data.length;
    this.#writing = [];
  }

  /** Forgets all, taken or not. */
  clear(): void {
    this.#waiting = [];
    this.#writing = [];
    this.#bytes = 0;
  }
}
