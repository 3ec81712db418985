import {
  decodeError,
  decodeMessages,
  encodeMessage,
  Flag,
  MessageType,
  type NetlinkMessage,
} from '../netlink/codec.js';
import { type BatchMessage, encodeBatchEnds } from '../netlink/nft-elements.js';
import {
  closeSocket,
  openSocket,
  receiveBytes,
  sendBytes,
  setSocketOption,
  systemError,
} from './libc.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_XFRM = 6;
export const NETLINK_NETFILTER = 12;

/** The kernel never sends more in one datagram of a dump. */
const RECEIVE_BYTES = 64 * 1024;
/** One for all sockets of a thread: each waits for its answer, and what it gives away are copies. */
const received = Buffer.alloc(RECEIVE_BYTES);
/** The kernel answers within the call; this ends a wait that a bug would make endless. */
const RECEIVE_TIMEOUT_SECONDS = 10;

/** On a host where links come and go all the time, the last reading has to do. */
const DUMP_ATTEMPTS_MAX = 5;

/** A transaction is one datagram: 10,000 services with their backends are 4 MiB. */
const SEND_BYTES_MAX = 64 * 1024 * 1024;

function bytesOf(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** `struct timeval` of a 64-bit machine. */
function timeOfSeconds(seconds: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(seconds));
  return bytes;
}

/**
 * A netlink socket in the namespace the thread is in when it is made. Blocks; the kernel answers at
 * once.
 */
export class NetlinkSocket {
  readonly #fd: number;
  #sequence = 0;

  constructor(protocol: number) {
    this.#fd = openSocket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    const on = Buffer.of(1, 0, 0, 0);
    setSocketOption(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, on);
    setSocketOption(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, on);
    setSocketOption(this.#fd, SOL_SOCKET, SO_RCVTIMEO, timeOfSeconds(RECEIVE_TIMEOUT_SECONDS));
    setSocketOption(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, bytesOf(SEND_BYTES_MAX));
  }

  /**
   * Sends one request and waits for its acknowledgement; throws SystemCallError when it is refused.
   */
  request(what: string, type: number, flags: number, body: Buffer): void {
    this.#send(type, flags | Flag.REQUEST | Flag.ACK, body);
    for (;;) {
      for (const message of this.#receive()) {
        if (message.type !== MessageType.ERROR) continue;
        this.#throwIfError(what, message);
        return;
      }
    }
  }

  /** Asks for one object; throws when there is none. */
  get(what: string, type: number, body: Buffer): Buffer {
    this.#send(type, Flag.REQUEST, body);
    for (;;) {
      for (const message of this.#receive()) {
        if (message.type !== MessageType.ERROR) return Buffer.from(message.body);
        this.#throwIfError(what, message);
      }
    }
  }

  /** All objects of a kind: the bodies of the answers. Read again when they change meanwhile. */
  dump(what: string, type: number, body: Buffer): Buffer[] {
    for (let attempt = 1; attempt < DUMP_ATTEMPTS_MAX; attempt++) {
      const { bodies, interrupted } = this.#dumpOnce(what, type, body);
      if (!interrupted) return bodies;
    }
    return this.#dumpOnce(what, type, body).bodies;
  }

  #dumpOnce(what: string, type: number, body: Buffer): { bodies: Buffer[]; interrupted: boolean } {
    this.#send(type, Flag.REQUEST | Flag.DUMP, body);
    const bodies: Buffer[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive()) {
        interrupted ||= (message.flags & Flag.DUMP_INTERRUPTED) !== 0;
        if (message.type === MessageType.DONE) return { bodies, interrupted };
        if (message.type === MessageType.ERROR) this.#throwIfError(what, message);
        else bodies.push(Buffer.from(message.body));
      }
    }
  }

  /** Sends the messages of one transaction; throws SystemCallError when it is refused. */
  transact(what: string, messages: readonly BatchMessage[]): void {
    const { begin, end } = encodeBatchEnds();
    const last = messages.length - 1;
    const encoded = [begin, ...messages, end].map(({ type, flags, body }, place) => {
      this.#sequence = (this.#sequence + 1) >>> 0;
      // The last one's acknowledgement is that of all; refusals come without being asked for.
      const asks = place === last + 1 ? Flag.ACK : 0;
      const all = flags | Flag.REQUEST | asks;
      return encodeMessage({ type, flags: all, sequence: this.#sequence, body });
    });
    const acknowledged = (this.#sequence - 1) >>> 0;
    sendBytes(this.#fd, Buffer.concat(encoded));
    for (;;) {
      const length = receiveBytes(this.#fd, received);
      for (const message of decodeMessages(received.subarray(0, length))) {
        if (message.type !== MessageType.ERROR) continue;
        this.#throwIfError(what, message);
        if (message.sequence === acknowledged) return;
      }
    }
  }

  close(): void {
    closeSocket(this.#fd);
  }

  #send(type: number, flags: number, body: Buffer): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    sendBytes(this.#fd, encodeMessage({ type, flags, sequence: this.#sequence, body }));
  }

  /** Answers to the last request; late ones of an earlier request are dropped. */
  #receive(): NetlinkMessage[] {
    const length = receiveBytes(this.#fd, received);
    return decodeMessages(received.subarray(0, length)).filter(
      (message) => message.sequence === this.#sequence,
    );
  }

  #throwIfError(what: string, message: NetlinkMessage): void {
    const { errno, detail } = decodeError(message);
    if (errno !== 0) throw systemError(what, errno, detail);
  }
}
