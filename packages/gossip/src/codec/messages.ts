import { type Address, ipFromBytes, ipToBytes } from '../address.js';
import { GossipFormatError } from '../errors.js';
import {
  ACK_PAYLOAD_BYTES_MAX,
  META_BYTES_MAX,
  NODE_NAME_BYTES_MAX,
  VERSIONS_BYTES_MAX,
} from '../limits.js';
import { encodeStruct, type Struct, StructReader } from './msgpack.js';

/** First byte of each of memberlist's messages. */
export const MessageType = {
  PING: 0,
  INDIRECT_PING: 1,
  ACK: 2,
  SUSPECT: 3,
  ALIVE: 4,
  DEAD: 5,
  PUSH_PULL: 6,
  COMPOUND: 7,
  USER: 8,
  COMPRESS: 9,
  ENCRYPT: 10,
  NACK: 11,
  HAS_CRC: 12,
  ERROR: 13,
} as const;

/** Who asked, where the answer shall go; engines up to 20.10 leave it out. */
export interface Source extends Address {
  name: string;
}

export interface Ping {
  kind: 'ping';
  sequence: number;
  /** The node that is meant: another one at the same address must not answer. */
  node: string;
  source: Source | undefined;
}

export interface IndirectPing {
  kind: 'indirect-ping';
  sequence: number;
  target: Address;
  node: string;
  /** Wants to hear also that there was no answer. */
  wantsNack: boolean;
  source: Source | undefined;
}

export interface Ack {
  kind: 'ack';
  sequence: number;
}

export interface Nack {
  kind: 'nack';
  sequence: number;
}

export interface Suspect {
  kind: 'suspect';
  incarnation: number;
  node: string;
  from: string;
}

/** `from` is the node itself where it leaves. */
export interface Dead {
  kind: 'dead';
  incarnation: number;
  node: string;
  from: string;
}

export interface Alive {
  kind: 'alive';
  incarnation: number;
  node: string;
  address: Address;
  meta: Uint8Array;
  /** Least, most and present version of memberlist's protocol, then of its user's. */
  versions: Uint8Array;
}

/** Of the room above memberlist. */
export interface User {
  kind: 'user';
  payload: Uint8Array;
}

/** What comes in packets. */
export type Message = Ping | IndirectPing | Ack | Nack | Suspect | Dead | Alive | User;

export const U32_MAX = 2 ** 32 - 1;
const U16_MAX = 2 ** 16 - 1;
const NONE = new Uint8Array();

/** A message with its type before it. */
export function encodeMessage(message: Message): Buffer {
  switch (message.kind) {
    case 'ping': {
      const { sequence: SeqNo, node: Node, source } = message;
      return typed(MessageType.PING, { SeqNo, Node, ...sourceFields(source) });
    }
    case 'indirect-ping': {
      const { sequence: SeqNo, target, node: Node, wantsNack: Nack, source } = message;
      const fields = { SeqNo, Target: ipToBytes(target.ip), Port: target.port, Node, Nack };
      return typed(MessageType.INDIRECT_PING, { ...fields, ...sourceFields(source) });
    }
    case 'ack':
      return typed(MessageType.ACK, { SeqNo: message.sequence, Payload: NONE });
    case 'nack':
      return typed(MessageType.NACK, { SeqNo: message.sequence });
    case 'suspect':
    case 'dead': {
      const { incarnation: Incarnation, node: Node, from: From } = message;
      const type = message.kind === 'dead' ? MessageType.DEAD : MessageType.SUSPECT;
      return typed(type, { Incarnation, Node, From });
    }
    case 'alive': {
      const { incarnation: Incarnation, node: Node, address, meta: Meta, versions: Vsn } = message;
      const { ip, port: Port } = address;
      return typed(MessageType.ALIVE, { Incarnation, Node, Addr: ipToBytes(ip), Port, Meta, Vsn });
    }
    case 'user':
      return Buffer.concat([Buffer.of(MessageType.USER), message.payload]);
  }
}

function typed(type: number, fields: Parameters<typeof encodeStruct>[0]): Buffer {
  return Buffer.concat([Buffer.of(type), encodeStruct(fields)]);
}

function sourceFields(source: Source | undefined) {
  if (!source) return {};
  return { SourceAddr: ipToBytes(source.ip), SourcePort: source.port, SourceNode: source.name };
}

/** Throws {@link GossipFormatError} for what is none of them, and for what wraps others. */
export function decodeMessage(bytes: Uint8Array): Message {
  const type = bytes[0] ?? -1;
  const body = bytes.subarray(1);
  if (type === MessageType.USER) return { kind: 'user', payload: body };
  const struct = new StructReader(body).next();
  const sequence = struct.uint('SeqNo', U32_MAX);
  switch (type) {
    case MessageType.PING:
      return { kind: 'ping', sequence, node: nameIn(struct, 'Node'), source: sourceIn(struct) };
    case MessageType.INDIRECT_PING:
      return decodeIndirectPing(struct, sequence);
    case MessageType.ACK:
      struct.bytes('Payload', ACK_PAYLOAD_BYTES_MAX);
      return { kind: 'ack', sequence };
    case MessageType.NACK:
      return { kind: 'nack', sequence };
    case MessageType.ALIVE:
      return { kind: 'alive', ...nodeIn(struct), node: nameIn(struct, 'Node') };
    case MessageType.SUSPECT:
    case MessageType.DEAD: {
      const [node, from] = [nameIn(struct, 'Node'), nameIn(struct, 'From')];
      const incarnation = struct.uint('Incarnation', U32_MAX);
      return { kind: type === MessageType.DEAD ? 'dead' : 'suspect', incarnation, node, from };
    }
    default:
      throw new GossipFormatError(`a message of the unknown type ${type}`);
  }
}

function decodeIndirectPing(struct: Struct, sequence: number): IndirectPing {
  const target = { ip: ipFromBytes(struct.bytes('Target', 16)), port: portIn(struct, 'Port') };
  const wantsNack = struct.flag('Nack');
  const node = nameIn(struct, 'Node');
  return { kind: 'indirect-ping', sequence, target, node, wantsNack, source: sourceIn(struct) };
}

/** What Alive and the states of a push/pull have in common. */
export function nodeIn(struct: Struct): Omit<Alive, 'kind' | 'node'> {
  return {
    incarnation: struct.uint('Incarnation', U32_MAX),
    address: { ip: ipFromBytes(struct.bytes('Addr', 16)), port: portIn(struct, 'Port') },
    meta: struct.bytes('Meta', META_BYTES_MAX),
    versions: struct.bytes('Vsn', VERSIONS_BYTES_MAX),
  };
}

export function nameIn(struct: Struct, field: string): string {
  const name = struct.text(field, NODE_NAME_BYTES_MAX);
  if (name === '') throw new GossipFormatError(`${field} is empty`);
  return name;
}

function portIn(struct: Struct, field: string): number {
  const port = struct.uint(field, U16_MAX);
  if (port === 0) throw new GossipFormatError(`${field} is 0`);
  return port;
}

function sourceIn(struct: Struct): Source | undefined {
  const bytes = struct.bytes('SourceAddr', 16);
  const port = struct.uint('SourcePort', U16_MAX);
  if (bytes.length === 0 || port === 0) return undefined;
  return { ip: ipFromBytes(bytes), port, name: struct.text('SourceNode', NODE_NAME_BYTES_MAX) };
}
