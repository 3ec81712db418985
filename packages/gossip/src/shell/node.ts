import { type Cancel, type Clock, errorMessage, type Logger, type Random } from '@skep/platform';
import { type Address, formatAddress } from '../address.js';
import { Keyring } from '../codec/keyring.js';
import { readPacket } from '../codec/packet.js';
import {
  decodeStreamMessage,
  encodeStreamMessage,
  openStream,
  type StreamMessage,
  sealStream,
} from '../codec/stream.js';
import { type EntryView, GossipCore, type GossipStats, type MemberView } from '../core/core.js';
import type { Effect, EntryChange } from '../core/outbox.js';
import { GossipFormatError } from '../errors.js';
import type { GossipFlaws } from '../flaws.js';
import { GOSSIP_INTERVAL_MS, LEAVE_TIMEOUT_MS, PACKET_BYTES } from '../limits.js';
import { type GossipCounters, newCounters } from './counters.js';
import type { GossipSockets, SocketListener } from './sockets.js';

export interface GossipNodeOptions {
  clock: Clock;
  random: Random;
  logger: Logger;
  sockets: GossipSockets;
  /** Where others reach this node. */
  address: Address;
  /** Keys of 16 bytes, at least one, the one to seal with first. */
  keys: readonly Uint8Array[];
  /** Longest UDP packet sent; 1400 unless given. */
  packetBytes?: number;
  /** Known bugs, for the simulator. */
  flaws?: GossipFlaws | undefined;
}

/** Random bytes of a node's name, which is their 12 hexadecimal digits. */
const NAME_BYTES = 6;

/** A node of a cluster's gossip: the core with its clock, its keys and its sockets. */
export class GossipNode implements SocketListener {
  readonly counters: GossipCounters = newCounters();
  readonly #options: GossipNodeOptions;
  readonly #keyring: Keyring;
  readonly #core: GossipCore;
  readonly #listeners = new Set<(changes: readonly EntryChange[]) => void>();
  #cancelTick: Cancel = () => {};
  #isOpen = false;

  constructor(options: GossipNodeOptions) {
    const { clock, random, address, keys, packetBytes = PACKET_BYTES, flaws } = options;
    this.#options = options;
    this.#keyring = new Keyring({ keys, random });
    const name = Buffer.from(random.bytes(NAME_BYTES)).toString('hex');
    const nowMs = clock.monotonic();
    this.#core = new GossipCore({ name, address, random, nowMs, packetBytes, flaws });
  }

  /** Of this start: 12 hexadecimal digits by chance. */
  get name(): string {
    return this.#core.name;
  }

  /** Rejects where the sockets cannot be opened. */
  async start(): Promise<void> {
    await this.#options.sockets.open(this);
    this.#isOpen = true;
    this.#with((core) => core.begin());
  }

  /** Says that it leaves, as far as others hear it within a second, and closes its sockets. */
  async stop(): Promise<void> {
    if (!this.#isOpen) return;
    const { clock } = this.#options;
    this.#with((core) => core.leave());
    const endMs = clock.monotonic() + LEAVE_TIMEOUT_MS;
    const isAlone = () => this.members().every(({ name }) => name === this.name);
    while (!isAlone() && !this.#core.isQuiet && clock.monotonic() < endMs) {
      await clock.sleep(GOSSIP_INTERVAL_MS);
    }
    await this.close();
  }

  /** Closes its sockets without a word: what it wrote stays with others for as long as they wait for it. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#cancelTick();
    await this.#options.sockets.close();
  }

  /** Addresses at which members should be found: it joins them, now and whenever they are lost. */
  setSeeds(seeds: readonly Address[]): void {
    this.#with((core) => core.setSeeds(seeds));
  }

  /** Keys of 16 bytes, at least one, the one to seal with first. */
  setKeys(keys: readonly Uint8Array[]): void {
    this.#keyring.replace(keys);
  }

  joinNetwork(id: string): void {
    this.#with((core) => core.joinNetwork(id));
  }

  /** What this node had there is gone. */
  leaveNetwork(id: string): void {
    this.#with((core) => core.leaveNetwork(id));
  }

  /** Writes an entry, new or in place of its value, to a network that was joined. */
  put(networkId: string, table: string, key: string, value: Uint8Array): void {
    this.#with((core) => core.put(networkId, table, key, value));
  }

  /** Deletes an entry that this node wrote, if there is one. */
  delete(networkId: string, table: string, key: string): void {
    this.#with((core) => core.delete(networkId, table, key));
  }

  /** Calls `listener` with what changes in the tables of joined networks. Returns how to end that. */
  onChange(listener: (changes: readonly EntryChange[]) => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** All nodes known, this one among them. */
  members(): MemberView[] {
    return this.#core.members();
  }

  /** Those that take part in a network. */
  networkMembers(networkId: string): MemberView[] {
    return this.#core.networkMembers(networkId);
  }

  /** The value that this node has written under a key, if it has. */
  ownEntry(networkId: string, table: string, key: string): Uint8Array | undefined {
    return this.#core.ownEntry(networkId, table, key);
  }

  /** What stands in a table: of nodes that are there, and take part in the network. */
  entries(networkId: string, table: string): EntryView[] {
    return this.#core.entries(networkId, table);
  }

  stats(): GossipStats {
    return this.#core.stats();
  }

  onPacket(packet: Uint8Array, from: Address): void {
    this.counters.packetsReceived++;
    this.counters.bytesReceived += packet.length;
    const plain = this.#open(() => this.#keyring.open(packet));
    if (!plain) return;
    const { messages, malformed } = readPacket(plain);
    this.counters.malformed += malformed;
    this.#with((core) => {
      for (const message of messages) core.receive(message, from);
    });
  }

  async onStream(frame: Uint8Array): Promise<Uint8Array | undefined> {
    this.counters.streamsReceived++;
    this.counters.bytesReceived += frame.length;
    const message = this.#read(frame);
    const answer = message && this.#with((core) => core.answer(message));
    return answer && this.#sealed(answer);
  }

  /** Lets the core do something at the present time, and does what it wants done. */
  #with<T>(act: (core: GossipCore) => T): T {
    this.#core.tick(this.#options.clock.monotonic());
    const result = act(this.#core);
    this.#perform();
    return result;
  }

  #perform(): void {
    const changes: EntryChange[] = [];
    for (const effect of this.#core.takeEffects()) {
      if (effect.kind === 'packet') this.#sendPacket(effect);
      else if (effect.kind === 'exchange') void this.#exchange(effect);
      else if (effect.kind === 'change') changes.push(effect.change);
      else this.#logMember(effect);
    }
    this.#armTick();
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes);
  }

  #armTick(): void {
    const { clock } = this.#options;
    this.#cancelTick();
    const dueMs = this.#core.dueMs;
    if (!this.#isOpen || dueMs === undefined) return;
    // A millisecond at least: what a clock is a hair early for would be asked again at the same time, for ever.
    const delayMs = Math.max(1, Math.ceil(dueMs - clock.monotonic()));
    this.#cancelTick = clock.after(delayMs, () => this.#with(() => {}));
  }

  #sendPacket({ plain, to }: Extract<Effect, { kind: 'packet' }>): void {
    const packet = this.#keyring.seal(plain);
    this.counters.packetsSent++;
    this.counters.bytesSent += packet.length;
    this.#options.sockets.send(packet, to);
  }

  async #exchange(effect: Extract<Effect, { kind: 'exchange' }>): Promise<void> {
    const { id, to, message, wantsAnswer, timeoutMs } = effect;
    this.counters.exchanges++;
    let answer: StreamMessage | undefined;
    let isDone = false;
    try {
      const options = { wantsAnswer, timeoutMs };
      const frame = await this.#options.sockets.exchange(this.#sealed(message), to, options);
      answer = frame && this.#read(frame);
      isDone = !wantsAnswer || answer !== undefined;
    } catch (error) {
      const fields = { to: formatAddress(to), error: errorMessage(error) };
      this.#options.logger.debug(fields, 'a gossip exchange failed');
    }
    if (!isDone) this.counters.exchangesFailed++;
    if (!this.#isOpen) return;
    const outcome = isDone ? { isDone, ...(answer && { answer }) } : { isDone };
    this.#with((core) => core.exchanged(id, outcome));
  }

  #sealed(message: StreamMessage): Buffer {
    const frame = sealStream(this.#keyring, encodeStreamMessage(message));
    this.counters.bytesSent += frame.length;
    return frame;
  }

  #read(frame: Uint8Array): StreamMessage | undefined {
    const plain = this.#open(() => openStream(this.#keyring, frame));
    if (!plain) return undefined;
    try {
      return decodeStreamMessage(plain);
    } catch (error) {
      if (!(error instanceof GossipFormatError)) throw error;
      this.counters.malformed++;
      return undefined;
    }
  }

  #open(open: () => Buffer): Buffer | undefined {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof GossipFormatError)) throw error;
      this.counters.refused++;
      return undefined;
    }
  }

  #logMember({ event, name, address }: Extract<Effect, { kind: 'member' }>): void {
    const fields = { member: name, address: formatAddress(address) };
    this.#options.logger.info(fields, `a gossip member ${EVENT_TEXTS[event]}`);
  }
}

const EVENT_TEXTS = {
  joined: 'joined',
  failed: 'is not heard of any more',
  left: 'left',
  returned: 'is back',
} as const;
