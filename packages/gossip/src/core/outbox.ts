import type { Address } from '../address.js';
import type { StreamMessage } from '../codec/stream.js';

/** One entry of a table, as those who read tables see it; gone where there is no value. */
export interface EntryChange {
  networkId: string;
  table: string;
  key: string;
  /** Name of the node that it is from. */
  owner: string;
  value: Uint8Array | undefined;
  /** What it was before; undefined: it is new. */
  previous: Uint8Array | undefined;
}

export type MemberEvent = 'joined' | 'failed' | 'left' | 'returned';

/** What the outside has to do. */
export type Effect =
  | { kind: 'packet'; to: Address; plain: Uint8Array }
  /**
   * A connection: a message there, and where `wantsAnswer` one back. What came of it goes to
   * `GossipCore.exchanged` with the same id.
   */
  | {
      kind: 'exchange';
      id: number;
      to: Address;
      message: StreamMessage;
      wantsAnswer: boolean;
      timeoutMs: number;
    }
  | { kind: 'change'; change: EntryChange }
  | { kind: 'member'; event: MemberEvent; name: string; address: Address };

export interface ExchangeRequest {
  to: Address;
  message: StreamMessage;
  wantsAnswer: boolean;
  timeoutMs: number;
}

/** How it went; `answer` only where one was wanted. */
export type ExchangeOutcome = { isDone: true; answer?: StreamMessage } | { isDone: false };

/** Collects effects, and remembers what an exchange was for. */
export class Outbox {
  #effects: Effect[] = [];
  readonly #pending = new Map<number, (outcome: ExchangeOutcome) => void>();
  #lastId = 0;

  add(effect: Effect): void {
    this.#effects.push(effect);
  }

  exchange(request: ExchangeRequest, onDone: (outcome: ExchangeOutcome) => void): void {
    const id = ++this.#lastId;
    this.#pending.set(id, onDone);
    this.add({ kind: 'exchange', id, ...request });
  }

  exchanged(id: number, outcome: ExchangeOutcome): void {
    const onDone = this.#pending.get(id);
    this.#pending.delete(id);
    onDone?.(outcome);
  }

  take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
