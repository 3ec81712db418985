import type { Address } from '../address.js';
import { SEAL_BYTES } from '../codec/keyring.js';
import { encodeMessage, type Message } from '../codec/messages.js';
import {
  CHECKSUM_BYTES,
  COMPOUND_ENTRY_BYTES,
  COMPOUND_HEAD_BYTES,
  COMPOUND_MESSAGES_MAX,
  compound,
  withChecksum,
} from '../codec/packet.js';
import type { BroadcastQueue } from './broadcast-queue.js';
import type { Outbox } from './outbox.js';

/** Of what one packet can say. */
export function contentBytesMax(packetBytes: number): number {
  return packetBytes - SEAL_BYTES - CHECKSUM_BYTES - COMPOUND_HEAD_BYTES;
}

/** Protocol from which on a member takes checksums. */
const CHECKSUM_VERSION = 5;

/** A node that packets go to, and what it understands. */
export interface Recipient {
  address: Address;
  versions: Uint8Array;
}

export interface CourierOptions {
  outbox: Outbox;
  /** What is told on beside what is sent, in order of importance. */
  queues: readonly BroadcastQueue[];
  packetBytes: number;
}

/** Makes packets, and lets what is to be told on travel with them. */
export class Courier {
  readonly #outbox: Outbox;
  readonly #queues: readonly BroadcastQueue[];
  readonly #bytesMax: number;

  constructor({ outbox, queues, packetBytes }: CourierOptions) {
    this.#outbox = outbox;
    this.#queues = queues;
    this.#bytesMax = contentBytesMax(packetBytes);
  }

  /** Sends a message, and what else fits beside it. */
  send(to: Address, ...messages: readonly Message[]): void {
    const encoded = messages.map(encodeMessage);
    const parts = [...encoded, ...this.#broadcasts(encoded)];
    this.#outbox.add({ kind: 'packet', to, plain: compound(parts) });
  }

  /** Sends what is to be told on, if there is anything. */
  gossip(to: Recipient): void {
    const parts = this.#broadcasts([]);
    if (parts.length > 0) this.sendEncoded(to, compound(parts));
  }

  sendEncoded({ address, versions }: Recipient, bytes: Uint8Array): void {
    const takesChecksum = (versions[1] ?? 0) >= CHECKSUM_VERSION;
    const plain = takesChecksum ? withChecksum(bytes) : bytes;
    this.#outbox.add({ kind: 'packet', to: address, plain });
  }

  #broadcasts(beside: readonly Uint8Array[]): Uint8Array[] {
    const parts: Uint8Array[] = [];
    const bytesOf = (list: readonly Uint8Array[]) =>
      list.reduce((sum, { length }) => sum + length + COMPOUND_ENTRY_BYTES, 0);
    for (const queue of this.#queues) {
      const bytes = this.#bytesMax - bytesOf(beside) - bytesOf(parts);
      const count = COMPOUND_MESSAGES_MAX - beside.length - parts.length;
      parts.push(...queue.take(COMPOUND_ENTRY_BYTES, bytes, count));
    }
    return parts;
  }
}
