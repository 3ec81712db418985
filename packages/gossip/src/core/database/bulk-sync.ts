import type { Cancel } from '@skep/platform';
import { type BulkSyncMessage, TableEvent_Type } from '@skep/wire/networkdb';
import { encodeBulkSync, encodeCompound } from '../../codec/envelope.js';
import {
  ASKED_REST_MS,
  BULK_SYNC_BYTES,
  BULK_SYNC_TIMEOUT_MS,
  JOIN_SYNCS_MAX,
  STREAM_TIMEOUT_MS,
} from '../../limits.js';
import { shuffled } from '../membership/members.js';
import { isPlausible } from './lamport.js';
import type { LocalNetwork } from './local-network.js';
import type { DatabaseState } from './state.js';
import { encodeEntry, type Writes } from './writes.js';

/** Returned nodes that are asked at a time: all come back at once where a switch was down. */
const RETURNED_AT_A_TIME = 4;

/** Exchanges all entries of the networks that two nodes have in common, both ways. */
export class BulkSync {
  readonly #state: DatabaseState;
  readonly #writes: Writes;
  /** By node that was asked and has not answered. */
  readonly #waiting = new Map<string, (isAnswered: boolean) => void>();
  readonly #answering = new Set<string>();
  readonly #returned = new Set<string>();
  /** Nodes that asked lately, and until when they are left alone. */
  readonly #busy = new Map<string, number>();

  constructor(state: DatabaseState, writes: Writes) {
    this.#state = state;
    this.#writes = writes;
  }

  /** For each network one node that takes part, of which another is tried where that fails. */
  periodic(): void {
    const left = new Set(this.#state.networks.keys());
    for (const networkId of left) {
      const nodes = shuffled(this.#state.random, this.#state.activeNodesOf(networkId));
      const [first, second] = nodes;
      if (!first) continue;
      for (const id of this.#state.networksWith(first)) left.delete(id);
      this.#ask(first, (isAnswered) => {
        if (!isAnswered && second) this.#ask(second, () => {});
      });
    }
  }

  /** A node is back after it was not heard of. */
  nodeReturned(node: string): void {
    this.#returned.add(node);
  }

  /** Asks for what is missing, as far as that is not under way. */
  catchUp(): void {
    for (const node of [...this.#returned].slice(0, RETURNED_AT_A_TIME)) {
      this.#returned.delete(node);
      if (this.#state.networksWith(node).length > 0) this.#ask(node, () => {});
    }
    const { nowMs } = this.#state.timers;
    for (const [node, untilMs] of this.#busy) if (untilMs <= nowMs) this.#busy.delete(node);
    for (const network of this.#state.networks.values()) this.#askForNew(network);
  }

  /** After its payload was taken. */
  onMessage({ unsolicited, nodeName, networks, lTime }: BulkSyncMessage): void {
    if (isPlausible(lTime)) this.#state.tableClock.witness(lTime);
    if (!this.#state.peers.isActive(nodeName)) return;
    if (!unsolicited) {
      this.#waiting.get(nodeName)?.(true);
      return;
    }
    this.#busy.set(nodeName, this.#state.timers.nowMs + ASKED_REST_MS);
    const common = networks.flatMap((id) => this.#state.networks.get(id) ?? []);
    for (const { id, exchanged } of common) {
      if (this.#state.attachments.isIn(nodeName, id)) exchanged.add(nodeName);
    }
    // One answer at a time: whoever asks on meanwhile gets the same.
    if (this.#answering.has(nodeName)) return;
    this.#answering.add(nodeName);
    const ids = common.map(({ id }) => id);
    this.#send(nodeName, ids, false, () => this.#answering.delete(nodeName));
  }

  /**
   * A network that was just joined: some of its nodes are asked, one after the other, besides those that
   * asked this one. To ask a Docker Engine while it asks would cost it 30 s: it forgets that it waits. Whoever
   * asked lately may be about to ask again.
   */
  #askForNew(network: LocalNetwork): void {
    if (network.isAsking || network.exchanged.size >= JOIN_SYNCS_MAX) return;
    const isNew = (node: string) =>
      !network.exchanged.has(node) && !this.#waiting.has(node) && !this.#busy.has(node);
    const candidates = this.#state.activeNodesOf(network.id).filter(isNew);
    const [node] = shuffled(this.#state.random, candidates);
    if (!node) return;
    network.isAsking = true;
    this.#ask(node, (isAnswered) => {
      network.isAsking = false;
      if (!isAnswered) return;
      for (const id of this.#state.networksWith(node))
        this.#state.networks.get(id)?.exchanged.add(node);
      this.#askForNew(network);
    });
  }

  #ask(node: string, onDone: (isAnswered: boolean) => void): void {
    if (this.#waiting.has(node)) {
      onDone(false);
      return;
    }
    let cancel: Cancel = () => {};
    const done = (isAnswered: boolean) => {
      if (this.#waiting.get(node) !== done) return;
      cancel();
      this.#waiting.delete(node);
      onDone(isAnswered);
    };
    this.#waiting.set(node, done);
    cancel = this.#state.timers.after(BULK_SYNC_TIMEOUT_MS, () => done(false));
    this.#send(node, this.#state.networksWith(node), true, (isSent) => isSent || done(false));
  }

  /** One message after the other where it is too much for one; the last one asks. */
  #send(node: string, networks: string[], asks: boolean, onSent: (isSent: boolean) => void): void {
    const { self, peers, outbox, tableClock } = this.#state;
    const peer = peers.get(node);
    if (!peer) {
      onSent(false);
      return;
    }
    const payloads = this.#payloads(networks);
    const sendFrom = (index: number) => {
      const payload = payloads[index];
      if (!payload) return onSent(true);
      const unsolicited = asks && index === payloads.length - 1;
      const head = { lTime: tableClock.time, unsolicited, nodeName: self };
      const message = {
        kind: 'user',
        payload: encodeBulkSync({ ...head, networks, payload }),
      } as const;
      const request = { to: peer.address, message, wantsAnswer: false };
      outbox.exchange({ ...request, timeoutMs: STREAM_TIMEOUT_MS }, ({ isDone }) => {
        if (isDone) sendFrom(index + 1);
        else onSent(false);
      });
    };
    sendFrom(0);
  }

  /**
   * All entries, before them that this node takes part: else those who have not heard of that yet drop
   * what it has.
   */
  #payloads(networks: readonly string[]): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    let parts: Uint8Array[] = [];
    let bytes = 0;
    for (const part of this.#parts(networks)) {
      if (bytes + part.length > BULK_SYNC_BYTES && parts.length > 0) {
        payloads.push(encodeCompound(parts));
        [parts, bytes] = [[], 0];
      }
      parts.push(part);
      bytes += part.length;
    }
    return [...payloads, encodeCompound(parts)];
  }

  *#parts(networks: readonly string[]): Generator<Uint8Array> {
    const { self, peers, timers } = this.#state;
    for (const id of networks) {
      const attachment = this.#writes.attachmentEvent(id);
      if (attachment) yield attachment;
      for (const entry of this.#state.networks.get(id)?.entries.all() ?? []) {
        if (entry.owner !== self && !peers.isActive(entry.owner)) continue;
        const isDeleted = entry.deletedUntilMs !== undefined;
        const type = isDeleted ? TableEvent_Type.DELETE : TableEvent_Type.CREATE;
        yield encodeEntry(id, entry, type, timers.nowMs);
      }
    }
  }
}
