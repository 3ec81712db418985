import { errorMessage } from '@skep/platform';
import type { Envelope, Member, PeerEvents, PeerTransport } from '@skep/raft';
import type { MachineClock } from '../engine/index.js';
import type { Links } from '../net/index.js';

/** A message that was not answered by then counts as undelivered (wire-raft.md 2.1). */
const ANSWER_TIMEOUT_MS = 2_000;
/** Messages waiting for one peer at most (wire-raft.md 2.1). */
const QUEUE_MAX = 4_096;

/** Who answers at an address. */
export interface Receiver {
  name: string;
  clock: MachineClock;
  /** Rejects as the peer would. */
  receive(envelope: Envelope): Promise<void>;
  /** Where it knows a member to be. */
  addressOf(raftId: bigint): string | undefined;
}

export interface SimPeersOptions {
  /** Name of the machine this runs on. */
  name: string;
  clock: MachineClock;
  links: Links;
  events: PeerEvents;
  /** One message at a time to each peer and none lost on an open way, as over TCP; or anyhow. */
  isOrdered: boolean;
  /** Name of the machine at an address. */
  machineAt(address: string): string;
  /** Who runs there now; undefined when nobody answers. */
  receiverOf(machine: string): Receiver | undefined;
  onSend(envelope: Envelope, to: string): void;
}

interface Peer {
  member: Member;
  activeSinceMs: number | undefined;
  queue: Envelope[];
  isBusy: boolean;
}

type Outcome = 'delivered' | 'undelivered' | 'removed';

/** The way of one life of a machine to its peers, over a network that can do anything. */
export class SimPeers implements PeerTransport {
  readonly #options: SimPeersOptions;
  readonly #peers = new Map<bigint, Peer>();
  #isClosed = false;

  constructor(options: SimPeersOptions) {
    this.#options = options;
  }

  send(to: Member, envelope: Envelope): void {
    if (this.#isClosed) return;
    const peer = this.#peer(to);
    this.#options.onSend(envelope, this.#options.machineAt(to.address));
    if (!this.#options.isOrdered) {
      this.#deliver(peer, envelope, (outcome) => this.#finish(peer, envelope, outcome));
      return;
    }
    if (peer.queue.length >= QUEUE_MAX) {
      this.#finish(peer, envelope, 'undelivered');
      return;
    }
    peer.queue.push(envelope);
    this.#next(peer);
  }

  #peer(member: Member): Peer {
    const known = this.#peers.get(member.raftId);
    if (known) {
      known.member = member;
      return known;
    }
    const peer: Peer = { member, activeSinceMs: undefined, queue: [], isBusy: false };
    this.#peers.set(member.raftId, peer);
    return peer;
  }

  #next(peer: Peer): void {
    const envelope = peer.isBusy ? undefined : peer.queue.shift();
    if (!envelope || this.#isClosed) return;
    peer.isBusy = true;
    this.#deliver(peer, envelope, (outcome) => {
      peer.isBusy = false;
      this.#finish(peer, envelope, outcome);
      this.#next(peer);
    });
  }

  #finish(peer: Peer, { message, snapshotData }: Envelope, outcome: Outcome): void {
    if (this.#isClosed) return;
    const { clock, events } = this.#options;
    const { raftId } = peer.member;
    const wasActive = peer.activeSinceMs !== undefined;
    if (outcome === 'delivered') peer.activeSinceMs ??= clock.monotonic();
    else peer.activeSinceMs = undefined;
    const isActive = peer.activeSinceMs !== undefined;
    if (isActive !== wasActive) events.onConnection(raftId, isActive);
    if (outcome === 'removed') events.onRemoved();
    if (outcome === 'undelivered') events.onUnreachable(raftId);
    if (snapshotData || message.snapshot) events.onSnapshotSent(raftId, outcome === 'delivered');
  }

  /** Calls `done` once: with the peer's answer, or when that did not come in time. */
  #deliver(peer: Peer, envelope: Envelope, done: (outcome: Outcome) => void): void {
    const { name, clock, links, isOrdered } = this.#options;
    const target = this.#options.machineAt(peer.member.address);
    let isDone = false;
    const finish = (outcome: Outcome) => {
      if (isDone) return;
      isDone = true;
      giveUp();
      clock.whenAwake(() => done(outcome));
    };
    const giveUp = clock.after(ANSWER_TIMEOUT_MS, () => finish('undelivered'));
    const answer = (outcome: Outcome) =>
      void links.send(target, name, isOrdered, () => finish(outcome));
    links.send(name, target, isOrdered, () => {
      const receiver = this.#options.receiverOf(target);
      if (!receiver) return answer('undelivered');
      receiver.clock.whenAwake(() => {
        receiver.receive(envelope).then(
          () => answer('delivered'),
          (error) => answer(/removed/.test(errorMessage(error)) ? 'removed' : 'undelivered'),
        );
      });
    });
  }

  setMembers(members: readonly Member[]): void {
    for (const member of members) this.#peer(member);
    const kept = new Set(members.map(({ raftId }) => raftId));
    for (const raftId of this.#peers.keys()) if (!kept.has(raftId)) this.#peers.delete(raftId);
  }

  isActive(raftId: bigint): boolean {
    return this.#peers.get(raftId)?.activeSinceMs !== undefined;
  }

  activeForMs(raftId: bigint): number | undefined {
    const sinceMs = this.#peers.get(raftId)?.activeSinceMs;
    return sinceMs === undefined ? undefined : this.#options.clock.monotonic() - sinceMs;
  }

  async checkHealth(raftId: bigint): Promise<boolean> {
    const peer = this.#peers.get(raftId);
    return (peer && (await this.#ask(peer.member, () => true))) ?? false;
  }

  async resolveAddress(raftId: bigint): Promise<string | undefined> {
    for (const { member } of [...this.#peers.values()]) {
      const address = await this.#ask(member, (receiver) => receiver.addressOf(raftId));
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** What a peer answers; undefined when nothing comes back in time. */
  #ask<T>({ address }: Member, ask: (receiver: Receiver) => T): Promise<T | undefined> {
    const { name, clock, links } = this.#options;
    if (this.#isClosed) return Promise.resolve(undefined);
    const target = this.#options.machineAt(address);
    return new Promise((resolve) => {
      const giveUp = clock.after(ANSWER_TIMEOUT_MS, () => resolve(undefined));
      const finish = (answer: T | undefined) => {
        giveUp();
        clock.whenAwake(() => resolve(answer));
      };
      const answer = (told: T | undefined) =>
        void links.send(target, name, true, () => finish(told));
      links.send(name, target, true, () => {
        const receiver = this.#options.receiverOf(target);
        if (receiver) receiver.clock.whenAwake(() => answer(ask(receiver)));
        else answer(undefined);
      });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#peers.clear();
  }
}
