import { type Random, randomBelow } from '@skep/platform';
import type { Address } from '../../address.js';
import { type NodeSnapshot, NodeState } from '../../codec/stream.js';
import { GOSSIP_TO_DEAD_MS } from '../../limits.js';

export interface Member extends NodeSnapshot {
  /** When its state changed last, in the core's time. */
  changedMs: number;
}

export function isGone({ state }: Member): boolean {
  return state === NodeState.DEAD || state === NodeState.LEFT;
}

/** Newest version of memberlist's protocol that a member understands; 0 where it does not say. */
export function versionMax({ versions }: Member): number {
  return versions[1] ?? 0;
}

/** Who is known, and whose turn it is to be probed. */
export class Members {
  readonly #random: Random;
  readonly #byName = new Map<string, Member>();
  /** In the order in which they are probed. */
  #order: Member[] = [];
  #turn = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name);
  }

  all(): readonly Member[] {
    return this.#order;
  }

  /** A new one is probed at a turn that chance decides: else all would wait for whoever came last. */
  add(member: Member): void {
    this.#byName.set(member.node, member);
    this.#order.splice(randomBelow(this.#random, this.#order.length + 1), 0, member);
  }

  /** The next one to be probed of those that are wanted. Undefined when there is none. */
  next(nowMs: number, isWanted: (member: Member) => boolean): Member | undefined {
    for (let left = this.#order.length + 1; left > 0; left--) {
      if (this.#turn >= this.#order.length) this.#beginRound(nowMs);
      const member = this.#order[this.#turn++];
      if (member && isWanted(member)) return member;
    }
    return undefined;
  }

  /** Up to `count` of those that are wanted, by chance. */
  pick(count: number, isWanted: (member: Member) => boolean): Member[] {
    return shuffled(this.#random, this.#order.filter(isWanted)).slice(0, count);
  }

  /** The long dead are forgotten, and turns are taken in another order. */
  #beginRound(nowMs: number): void {
    this.#turn = 0;
    const isKept = (member: Member) =>
      !isGone(member) || nowMs - member.changedMs <= GOSSIP_TO_DEAD_MS;
    for (const member of this.#order) if (!isKept(member)) this.#byName.delete(member.node);
    this.#order = shuffled(this.#random, this.#order.filter(isKept));
  }
}

/** The items in another order. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let at = result.length - 1; at > 0; at--) {
    const other = randomBelow(random, at + 1);
    [result[at], result[other]] = [result[other] as T, result[at] as T];
  }
  return result;
}

/** A member under an address, alive as far as is known. */
export function isAt(member: Member, { ip, port }: Address): boolean {
  return member.address.ip === ip && member.address.port === port && !isGone(member);
}
