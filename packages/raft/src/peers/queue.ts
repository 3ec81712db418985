import { type Cancel, type Clock, Code, RpcError } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import {
  PEER_DRAIN_MS,
  PEER_HEALTH_TIMEOUT_MS,
  PEER_PROBE_MS,
  PEER_QUEUE_MESSAGES_MAX,
  PEER_SEND_TIMEOUT_MS,
} from '../limits.js';
import type { Member } from '../membership.js';
import { chunkCount } from './chunks.js';
import { type PeerClient, REMOVED_TEXT } from './client.js';
import type { Envelope, PeerEvents } from './contract.js';
import { mayOvertake, merge } from './merge.js';

export interface PeerQueueOptions {
  member: Member;
  client: PeerClient;
  clock: Clock;
  events: PeerEvents;
}

/**
 * The way to one peer: messages in order, one under way at a time. What waits is merged where that
 * says the same; when a message fails, those waiting behind it are dropped, as Raft sends anew what
 * still counts. A peer that does not answer is asked again and again whether it does, so that there
 * is a connection when an election needs it: followers have nothing to say to each other before.
 */
export class PeerQueue {
  readonly #options: PeerQueueOptions;
  #member: Member;
  #waiting: Envelope[] = [];
  #isSending = false;
  #isClosed = false;
  #activeSinceMs: number | undefined;
  #cancelDrain: Cancel | undefined;
  #cancelProbe: Cancel | undefined;
  #unwatch: (() => void) | undefined;
  #onClosed: (() => void) | undefined;

  constructor(options: PeerQueueOptions) {
    this.#options = options;
    this.#member = options.member;
    this.#watch();
  }

  get member(): Member {
    return this.#member;
  }

  /** Since when the peer answers, on the monotonic clock; undefined while it does not. */
  get activeSinceMs(): number | undefined {
    return this.#activeSinceMs;
  }

  /** Sends over a new connection from now on when the address is another. */
  moveTo(member: Member): void {
    if (member.address === this.#member.address) return;
    this.#unwatch?.();
    this.#options.client.close(this.#member);
    this.#member = member;
    this.#watch();
  }

  push(envelope: Envelope): void {
    if (this.#isClosed || this.#cancelDrain) return;
    if (this.#mergeIntoWaiting(envelope)) return;
    if (this.#waiting.length >= PEER_QUEUE_MESSAGES_MAX) {
      this.#setActive(false);
      this.#tellLost(envelope);
      return;
    }
    this.#waiting.push(envelope);
    if (!this.#isSending) void this.#sendAll();
  }

  async checkHealth(): Promise<boolean> {
    const isHealthy = await this.#options.client
      .checkHealth(this.#member, PEER_HEALTH_TIMEOUT_MS)
      .catch(() => false);
    if (isHealthy) this.#setActive(true);
    else this.#probeLater();
    return isHealthy;
  }

  /** Takes no more messages, and closes when those waiting are sent, or after 16 s. */
  drain(onClosed: () => void): void {
    if (this.#isClosed || this.#cancelDrain) return;
    this.#onClosed = onClosed;
    this.#cancelDrain = this.#options.clock.after(PEER_DRAIN_MS, () => this.close());
    if (!this.#isSending) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#activeSinceMs = undefined;
    this.#cancelDrain?.();
    this.#cancelProbe?.();
    this.#unwatch?.();
    this.#options.client.close(this.#member);
    this.#onClosed?.();
  }

  #probeLater(): void {
    if (this.#isClosed || this.#activeSinceMs !== undefined) return;
    this.#cancelProbe ??= this.#options.clock.after(PEER_PROBE_MS, () => {
      this.#cancelProbe = undefined;
      if (this.#activeSinceMs === undefined) void this.checkHealth();
    });
  }

  #watch(): void {
    const { client, events } = this.#options;
    const { raftId } = this.#member;
    this.#unwatch = client.watchConnection?.(this.#member, (isUp) => {
      if (!isUp) this.#setActive(false);
      events.onConnection(raftId, isUp);
    });
  }

  /** Whether a waiting message now says what this one does. */
  #mergeIntoWaiting({ message, snapshotData }: Envelope): boolean {
    if (snapshotData) return false;
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const waiting = this.#waiting[at]!;
      const merged = merge(waiting.message, message);
      if (merged) {
        this.#waiting[at] = { message: merged, snapshotData: undefined };
        return true;
      }
      if (!mayOvertake(waiting.message) && !mayOvertake(message)) return false;
    }
    return false;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#send(next);
    }
    this.#isSending = false;
    if (this.#cancelDrain) this.close();
  }

  async #send(envelope: Envelope): Promise<void> {
    const { client, events } = this.#options;
    const timeoutMs = PEER_SEND_TIMEOUT_MS * chunkCount(envelope);
    try {
      await client.sendMessage(this.#member, envelope, timeoutMs);
    } catch (error) {
      if (this.#isClosed) return;
      const dropped = [envelope, ...this.#waiting.splice(0)];
      this.#setActive(false);
      for (const each of dropped) this.#tellLost(each);
      if (isRemoval(error)) events.onRemoved();
      return;
    }
    if (this.#isClosed) return;
    this.#setActive(true);
    if (isSnapshot(envelope)) events.onSnapshotSent(this.#member.raftId, true);
  }

  #tellLost(envelope: Envelope): void {
    const { events } = this.#options;
    if (isSnapshot(envelope)) events.onSnapshotSent(this.#member.raftId, false);
    else events.onUnreachable(this.#member.raftId);
  }

  #setActive(isActive: boolean): void {
    if (isActive === (this.#activeSinceMs !== undefined) || this.#isClosed) return;
    this.#activeSinceMs = isActive ? this.#options.clock.monotonic() : undefined;
    if (!isActive) this.#probeLater();
    this.#options.events.onConnection(this.#member.raftId, isActive);
  }
}

function isSnapshot({ message }: Envelope): boolean {
  return message.type === MessageType.MsgSnap;
}

function isRemoval(error: unknown): boolean {
  if (!(error instanceof RpcError) || error.code !== Code.NOT_FOUND) return false;
  return error.message.includes(REMOVED_TEXT);
}
