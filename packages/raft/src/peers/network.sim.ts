import { type Clock, Code, RpcError } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import type { Message } from '../core/contract.js';
import type { Member } from '../membership.js';
import { REMOVED_TEXT } from './client.js';
import { decodeEnvelope, encodeEnvelope } from './codec.js';
import type { Envelope, PeerEvents, PeerTransport } from './contract.js';

/** A message on its way, as whoever makes faults sees it. */
export interface SimTransmission {
  /** Addresses. */
  from: string;
  to: string;
  /** Undefined for a health check. */
  message: Message | undefined;
}

/**
 * What becomes of a transmission: after how many ms it arrives; not at all, once, or several times.
 */
export type SimFate = (transmission: SimTransmission) => readonly number[];

/** Who answers at an address. */
export interface SimReceiver {
  receive(envelope: Envelope): Promise<void>;
  readonly status: { members: readonly Member[] };
}

/**
 * Peers in one process: each message is encoded, meets its fate, and is decoded on arrival. A
 * message that arrives after 0 ms does so in the same turn, without the clock.
 */
export class SimPeerNetwork {
  fate: SimFate = () => [0];
  readonly #clock: Clock;
  readonly #receivers = new Map<string, SimReceiver>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** Answers at `address` until the returned function is called. */
  listen(address: string, receiver: SimReceiver): () => void {
    this.#receivers.set(address, receiver);
    return () => {
      if (this.#receivers.get(address) === receiver) this.#receivers.delete(address);
    };
  }

  /** The transport of the node at `address`. */
  transport(address: string, events: PeerEvents): SimPeerTransport {
    return new SimPeerTransport(this, address, events);
  }

  isListening(address: string): boolean {
    return this.#receivers.has(address);
  }

  /**
   * Carries out a transmission; `arrive` is called as often as fate wills. False when that is
   * never.
   */
  transmit(transmission: SimTransmission, arrive: () => void): boolean {
    const delays = this.fate(transmission);
    for (const delayMs of delays) {
      if (delayMs <= 0) void Promise.resolve().then(arrive);
      else this.#clock.after(delayMs, arrive);
    }
    return delays.length > 0;
  }

  /** Where whoever listens at the address knows a member to be. */
  resolveAt(to: string, raftId: bigint): string | undefined {
    const members = this.#receivers.get(to)?.status.members ?? [];
    return members.find((member) => member.raftId === raftId)?.address;
  }

  /** Hands bytes to whoever listens at the address. */
  async deliver(to: string, bytes: Uint8Array): Promise<void> {
    const receiver = this.#receivers.get(to);
    if (!receiver) throw new RpcError(Code.UNAVAILABLE, `nobody answers at ${to}`);
    await receiver.receive(decodeEnvelope(bytes));
  }
}

/** The simulated twin of `PeerQueues`: no queue, as nothing ever waits. */
export class SimPeerTransport implements PeerTransport {
  readonly #network: SimPeerNetwork;
  readonly #address: string;
  readonly #events: PeerEvents;
  readonly #activeSinceMs = new Map<bigint, number>();
  #members: readonly Member[] = [];
  #isClosed = false;

  constructor(network: SimPeerNetwork, address: string, events: PeerEvents) {
    this.#network = network;
    this.#address = address;
    this.#events = events;
  }

  send(to: Member, envelope: Envelope): void {
    if (this.#isClosed) return;
    const { message } = envelope;
    const bytes = encodeEnvelope(envelope);
    const transmission = { from: this.#address, to: to.address, message };
    const arrives = this.#network.transmit(transmission, () => {
      this.#network.deliver(to.address, bytes).then(
        () => this.#delivered(to, message),
        (error: unknown) => this.#lost(to, message, error),
      );
    });
    if (!arrives) this.#lost(to, message, undefined);
  }

  setMembers(members: readonly Member[]): void {
    this.#members = members;
  }

  isActive(raftId: bigint): boolean {
    return this.#activeSinceMs.has(raftId);
  }

  activeForMs(raftId: bigint): number | undefined {
    const sinceMs = this.#activeSinceMs.get(raftId);
    return sinceMs === undefined ? undefined : this.#network.clock.monotonic() - sinceMs;
  }

  async checkHealth(raftId: bigint): Promise<boolean> {
    const to = this.#members.find((member) => member.raftId === raftId)?.address;
    return to !== undefined && (await this.#ask(to)) && this.#network.isListening(to);
  }

  async resolveAddress(raftId: bigint): Promise<string | undefined> {
    for (const { address: to } of this.#members) {
      const address = (await this.#ask(to)) ? this.#network.resolveAt(to, raftId) : undefined;
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** Whether a question gets there, and an answer back. */
  #ask(to: string): Promise<boolean> {
    if (!this.#network.isListening(to)) return Promise.resolve(false);
    return new Promise((resolve) => {
      const from = this.#address;
      const back = () => {
        const arrives = this.#network.transmit({ from: to, to: from, message: undefined }, () =>
          resolve(true),
        );
        if (!arrives) resolve(false);
      };
      if (!this.#network.transmit({ from, to, message: undefined }, back)) resolve(false);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#activeSinceMs.clear();
  }

  #delivered({ raftId }: Member, { type }: Message): void {
    if (this.#isClosed) return;
    if (!this.#activeSinceMs.has(raftId)) {
      this.#activeSinceMs.set(raftId, this.#network.clock.monotonic());
      this.#events.onConnection(raftId, true);
    }
    if (type === MessageType.MsgSnap) this.#events.onSnapshotSent(raftId, true);
  }

  #lost({ raftId }: Member, { type }: Message, error: unknown): void {
    if (this.#isClosed) return;
    if (this.#activeSinceMs.delete(raftId)) this.#events.onConnection(raftId, false);
    if (type === MessageType.MsgSnap) this.#events.onSnapshotSent(raftId, false);
    else this.#events.onUnreachable(raftId);
    const isRemoval = error instanceof RpcError && error.code === Code.NOT_FOUND;
    if (isRemoval && error.message.includes(REMOVED_TEXT)) this.#events.onRemoved();
  }
}
