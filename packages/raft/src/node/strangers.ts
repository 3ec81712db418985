import type { Clock } from '@skep/platform';
import { ADDRESS_ASKED_MS, ADDRESS_KNOWN_MS, STRANGERS_MAX } from '../limits.js';
import type { Member } from '../membership.js';
import type { PeerTransport } from '../peers/contract.js';

export interface StrangersOptions {
  clock: Clock;
  transport: PeerTransport;
}

interface Stranger {
  /** Undefined until a peer has told. */
  member: Member | undefined;
  /** When to ask again, on the monotonic clock. */
  untilMs: number;
}

/**
 * Members that this node has not heard of yet. One that was away while another joined and came to
 * lead must answer that leader, or it never catches up: so its peers are asked for the address
 * (wire-raft.md 2.3).
 */
export class Strangers {
  readonly #options: StrangersOptions;
  readonly #strangers = new Map<bigint, Stranger>();

  constructor(options: StrangersOptions) {
    this.#options = options;
  }

  /** Undefined until its address is told: what is for it can be dropped, as Raft sends it again. */
  find(raftId: bigint): Member | undefined {
    const nowMs = this.#options.clock.monotonic();
    const known = this.#strangers.get(raftId);
    if (known && nowMs < known.untilMs) return known.member;
    if (this.#strangers.size >= STRANGERS_MAX) this.#strangers.clear();
    const stranger = { member: undefined, untilMs: nowMs + ADDRESS_ASKED_MS };
    this.#strangers.set(raftId, stranger);
    void this.#ask(raftId, stranger);
    return undefined;
  }

  async #ask(raftId: bigint, stranger: Stranger): Promise<void> {
    const { clock, transport } = this.#options;
    const address = await transport.resolveAddress(raftId);
    if (address === undefined) return;
    stranger.member = { raftId, nodeId: '', address };
    stranger.untilMs = clock.monotonic() + ADDRESS_KNOWN_MS;
  }
}
