import { Code, RpcError } from '@skep/platform';

export interface ProposalLimits {
  entries: number;
  bytes: number;
}

/** Entries that this node proposed as leader and has not applied yet. */
export class Proposals {
  readonly #limits: ProposalLimits;
  #waiting: { index: bigint; bytes: number }[] = [];
  #bytes = 0;

  constructor(limits: ProposalLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Payload bytes of them all. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws RESOURCE_EXHAUSTED when one more entry of this length is too much. */
  checkLimits(bytes: number): void {
    if (this.count < this.#limits.entries && this.#bytes + bytes <= this.#limits.bytes) return;
    throw new RpcError(Code.RESOURCE_EXHAUSTED, 'raft: too many proposals under way');
  }

  add(index: bigint, bytes: number): void {
    this.#waiting.push({ index, bytes });
    this.#bytes += bytes;
  }

  /** Everything up to `index` is applied. */
  finish(index: bigint): void {
    let done = 0;
    for (; done < this.#waiting.length && this.#waiting[done]!.index <= index; done++) {
      this.#bytes -= this.#waiting[done]!.bytes;
    }
    if (done > 0) this.#waiting.splice(0, done);
  }

  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }
}
