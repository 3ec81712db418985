import { type Random, randomBelow } from '@skep/platform';
import { type Address, sameAddress } from '../address.js';
import { NodeState, type PushPull } from '../codec/stream.js';
import {
  JOIN_TIMEOUT_MS,
  PUSH_PULL_INTERVAL_MS,
  PUSH_PULL_SCALE_NODES,
  RETRY_INTERVAL_MS,
  SEED_INTERVAL_MS,
  SEEDS_MAX,
  STREAM_TIMEOUT_MS,
} from '../limits.js';
import type { Database } from './database/database.js';
import type { Peer } from './database/peers.js';
import { isAt, type Members } from './membership/members.js';
import type { Membership } from './membership/membership.js';
import type { Outbox } from './outbox.js';
import type { Timers } from './timers.js';

export interface StateExchangeOptions {
  name: string;
  address: Address;
  random: Random;
  timers: Timers;
  outbox: Outbox;
  members: Members;
  membership: Membership;
  database: Database;
}

/** Often enough that all know all, more seldom the more there are. */
export function pushPullIntervalMs(nodes: number): number {
  if (nodes <= PUSH_PULL_SCALE_NODES) return PUSH_PULL_INTERVAL_MS;
  const scale = Math.ceil(Math.log2(nodes) - Math.log2(PUSH_PULL_SCALE_NODES)) + 1;
  return scale * PUSH_PULL_INTERVAL_MS;
}

/**
 * Two nodes tell each other all they know of who is there. By it a node joins, comes back, and finds those
 * again that it lost.
 */
export class StateExchange {
  readonly #options: StateExchangeOptions;
  #seeds: readonly Address[] = [];
  /** Addresses that are being tried to join at. */
  readonly #joining = new Set<string>();

  constructor(options: StateExchangeOptions) {
    this.#options = options;
  }

  begin(): void {
    const { timers, random, members } = this.#options;
    const intervalMs = () => pushPullIntervalMs(members.size);
    timers.every(intervalMs, random.float(), () => this.#withSomebody());
    timers.every(
      () => SEED_INTERVAL_MS,
      random.float(),
      () => {
        const missing = this.#missingSeeds();
        const seed = missing[randomBelow(random, missing.length)];
        if (seed) this.#join(seed);
      },
    );
    timers.every(
      () => RETRY_INTERVAL_MS,
      random.float(),
      () => this.#tryFailed(),
    );
  }

  /** Addresses where members should be; those behind which none is known are tried at once. */
  setSeeds(seeds: readonly Address[]): void {
    this.#seeds = seeds.slice(0, SEEDS_MAX);
    for (const seed of this.#missingSeeds()) this.#join(seed);
  }

  /** What another node is answered that tells all it knows: whatever it has wrong is put right with that. */
  answer(received: PushPull): PushPull {
    this.#merge(received);
    return this.#message(received.isJoin);
  }

  /**
   * Nodes that are not heard of, and may come back. One behind whose address another is began again under
   * that other name: nobody will come back there.
   */
  missingPeers(): Peer[] {
    const { database, members } = this.#options;
    const isTaken = ({ address }: Peer) => members.all().some((member) => isAt(member, address));
    const peers = database.state.peers.all();
    return peers.filter((peer) => peer.state === 'failed' && !isTaken(peer));
  }

  #missingSeeds(): Address[] {
    const { members, address } = this.#options;
    return this.#seeds.filter((seed) => {
      const isKnown = members.all().some((member) => isAt(member, seed));
      return !sameAddress(seed, address) && !isKnown;
    });
  }

  #withSomebody(): void {
    const { members, name } = this.#options;
    const isApt = ({ node, state }: { node: string; state: NodeState }) =>
      node !== name && state === NodeState.ALIVE;
    const [member] = members.pick(1, isApt);
    if (member) this.#exchange(member.address, false, () => {});
  }

  /** One of those that are not heard of may be back. */
  #tryFailed(): void {
    const { random } = this.#options;
    const missing = this.missingPeers();
    const peer = missing[randomBelow(random, missing.length)];
    if (peer) this.#join(peer.address);
  }

  #join(address: Address): void {
    const key = `${address.ip} ${address.port}`;
    if (this.#joining.has(key)) return;
    this.#joining.add(key);
    this.#exchange(address, true, (isDone) => {
      this.#joining.delete(key);
      if (isDone) this.#options.database.writes.announce();
    });
  }

  #exchange(to: Address, isJoin: boolean, onDone: (isDone: boolean) => void): void {
    const message = this.#message(isJoin);
    const timeoutMs = isJoin ? JOIN_TIMEOUT_MS : STREAM_TIMEOUT_MS;
    const request = { to, message, wantsAnswer: true, timeoutMs };
    this.#options.outbox.exchange(request, (outcome) => {
      const answer = outcome.isDone ? outcome.answer : undefined;
      if (answer?.kind !== 'push-pull') return onDone(false);
      this.#merge(answer);
      onDone(true);
    });
  }

  #message(isJoin: boolean): PushPull {
    const { membership, database } = this.#options;
    const [nodes, userState] = [membership.snapshots(), database.localState(isJoin)];
    return { kind: 'push-pull', isJoin, nodes, userState };
  }

  #merge({ nodes, userState }: PushPull): void {
    const { membership, database } = this.#options;
    membership.merge(nodes);
    database.receive(userState);
  }
}
