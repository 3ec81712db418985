import type { Random } from '@skep/platform';
import type { Address } from '../../address.js';
import type { Message } from '../../codec/messages.js';
import { type NodeSnapshot, NodeState } from '../../codec/stream.js';
import {
  GOSSIP_INTERVAL_MS,
  GOSSIP_NODES,
  GOSSIP_TO_DEAD_MS,
  PROBE_INTERVAL_MS,
} from '../../limits.js';
import type { BroadcastQueue } from '../broadcast-queue.js';
import type { Courier } from '../courier.js';
import type { Outbox } from '../outbox.js';
import type { Timers } from '../timers.js';
import { Awareness } from './awareness.js';
import { Claims, type MemberListener } from './claims.js';
import type { Member, Members } from './members.js';
import { Prober } from './prober.js';

/** Least, most and present version of the protocol, then of its user's, as a Docker Engine says them. */
const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);

export interface MembershipOptions {
  name: string;
  address: Address;
  random: Random;
  timers: Timers;
  outbox: Outbox;
  courier: Courier;
  /** What is said of members, to be told on. */
  queue: BroadcastQueue;
  members: Members;
  listener: MemberListener;
}

/** Who is there: SWIM as memberlist does it, with Lifeguard's care about one's own health. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #awareness = new Awareness();
  readonly #claims: Claims;
  readonly #prober: Prober;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { name, address, members, timers, outbox, courier, queue, listener } = options;
    const awareness = this.#awareness;
    this.#claims = new Claims({ self: name, members, awareness, timers, queue, listener });
    this.#prober = new Prober({
      ...{ self: { name, ...address }, members, awareness, timers, courier, outbox },
      onSilent: (claim) => this.#claims.suspect(claim),
    });
  }

  /** 0: well; up to 7: others rarely answer, or say that this node does not. */
  get healthScore(): number {
    return this.#awareness.score;
  }

  begin(): void {
    const { name, address, random, timers } = this.#options;
    const meta = new Uint8Array();
    this.#claims.begin({ node: name, address, incarnation: 1, meta, versions: VERSIONS });
    timers.every(
      () => PROBE_INTERVAL_MS,
      random.float(),
      () => this.#prober.probeNext(),
    );
    timers.every(
      () => GOSSIP_INTERVAL_MS,
      random.float(),
      () => this.gossip(),
    );
  }

  leave(): void {
    this.#claims.leave();
  }

  /** Tells a few members what is to be told on; those that died lately, too: they may be wrongly dead. */
  gossip(): void {
    const { name, members, courier, timers } = this.#options;
    const isTold = ({ node, state, changedMs }: Member) =>
      node !== name &&
      state !== NodeState.LEFT &&
      (state !== NodeState.DEAD || timers.nowMs - changedMs <= GOSSIP_TO_DEAD_MS);
    for (const member of members.pick(GOSSIP_NODES, isTold)) courier.gossip(member);
  }

  receive(message: Exclude<Message, { kind: 'user' }>, from: Address): void {
    switch (message.kind) {
      case 'ping':
        this.#prober.onPing(message, from);
        break;
      case 'indirect-ping':
        this.#prober.onIndirectPing(message, from);
        break;
      case 'ack':
        this.#prober.onAck(message.sequence);
        break;
      case 'nack':
        this.#prober.onNack(message.sequence);
        break;
      case 'alive':
        this.#claims.alive(message);
        break;
      case 'suspect':
        this.#claims.suspect(message);
        break;
      case 'dead':
        this.#claims.dead(message);
        break;
    }
  }

  /** All that is known, for another node. */
  snapshots(): NodeSnapshot[] {
    return this.#options.members.all().map(({ changedMs, ...snapshot }) => snapshot);
  }

  merge(snapshots: readonly NodeSnapshot[]): void {
    this.#claims.merge(snapshots);
  }
}
