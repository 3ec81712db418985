import { ipToBytes } from '../address.js';
import { GossipFormatError } from '../errors.js';
import { ERROR_BYTES_MAX, MEMBERS_MAX, STREAM_BYTES_MAX } from '../limits.js';
import { type Keyring, SEAL_BYTES } from './keyring.js';
import {
  type Ack,
  type Alive,
  decodeMessage,
  encodeMessage,
  MessageType,
  nameIn,
  nodeIn,
  type Ping,
  type User,
} from './messages.js';
import { encodeStruct, type Struct, StructReader } from './msgpack.js';
import { unpack } from './packet.js';

/** How a node stands, with the numbers of the protocol. */
export enum NodeState {
  ALIVE = 0,
  SUSPECT = 1,
  DEAD = 2,
  LEFT = 3,
}

/** One node, as another one sees it. */
export interface NodeSnapshot extends Omit<Alive, 'kind'> {
  state: NodeState;
}

/** All that a node knows of the members, and of what its user adds. */
export interface PushPull {
  kind: 'push-pull';
  /** The sender joins the other's cluster. */
  isJoin: boolean;
  nodes: NodeSnapshot[];
  userState: Uint8Array;
}

export interface Refusal {
  kind: 'error';
  message: string;
}

/** What goes over TCP: one message each way at most, and the connection is over. */
export type StreamMessage = Ping | Ack | PushPull | User | Refusal;

export function encodeStreamMessage(message: StreamMessage): Buffer {
  switch (message.kind) {
    case 'ping':
    case 'ack':
      return encodeMessage(message);
    case 'user': {
      const head = encodeStruct({ UserMsgLen: message.payload.length });
      return Buffer.concat([Buffer.of(MessageType.USER), head, message.payload]);
    }
    case 'error':
      return Buffer.concat([
        Buffer.of(MessageType.ERROR),
        encodeStruct({ Error: message.message }),
      ]);
    case 'push-pull': {
      const { nodes, userState, isJoin: Join } = message;
      const head = { Nodes: nodes.length, UserStateLen: userState.length, Join };
      const states = nodes.map(encodeSnapshot);
      const type = Buffer.of(MessageType.PUSH_PULL);
      return Buffer.concat([type, encodeStruct(head), ...states, userState]);
    }
  }
}

function encodeSnapshot(snapshot: NodeSnapshot): Buffer {
  const { node: Name, address, meta: Meta, incarnation: Incarnation, state: State } = snapshot;
  const Addr = ipToBytes(address.ip);
  const fields = { Name, Addr, Port: address.port, Meta, Incarnation, State };
  return encodeStruct({ ...fields, Vsn: snapshot.versions });
}

/** Throws {@link GossipFormatError} for what is none. */
export function decodeStreamMessage(bytes: Uint8Array, isUnpacked = false): StreamMessage {
  const body = bytes.subarray(1);
  switch (bytes[0]) {
    case MessageType.COMPRESS:
      if (isUnpacked) throw new GossipFormatError('wrapped too often');
      return decodeStreamMessage(unpack(body), true);
    case MessageType.PING:
    case MessageType.ACK:
      return decodeMessage(bytes) as Ping | Ack;
    case MessageType.USER: {
      const reader = new StructReader(body);
      const length = reader.next().uint('UserMsgLen', STREAM_BYTES_MAX);
      return { kind: 'user', payload: exactly(reader.rest, length) };
    }
    case MessageType.ERROR: {
      const message = new StructReader(body).next().text('Error', ERROR_BYTES_MAX);
      return { kind: 'error', message };
    }
    case MessageType.PUSH_PULL:
      return decodePushPull(body);
    default:
      throw new GossipFormatError(`a stream of the unknown type ${bytes[0]}`);
  }
}

function decodePushPull(body: Uint8Array): PushPull {
  const reader = new StructReader(body);
  const head = reader.next();
  const count = head.uint('Nodes', MEMBERS_MAX);
  const nodes: NodeSnapshot[] = [];
  for (let left = count; left > 0; left--) {
    const snapshot = decodeSnapshot(reader.next());
    if (snapshot) nodes.push(snapshot);
  }
  const userState = exactly(reader.rest, head.uint('UserStateLen', STREAM_BYTES_MAX));
  return { kind: 'push-pull', isJoin: head.flag('Join'), nodes, userState };
}

/** Undefined for a node that cannot be: the others still count. */
function decodeSnapshot(struct: Struct): NodeSnapshot | undefined {
  try {
    const state = struct.uint('State', NodeState.LEFT);
    return { ...nodeIn(struct), node: nameIn(struct, 'Name'), state };
  } catch (error) {
    if (error instanceof GossipFormatError) return undefined;
    throw error;
  }
}

function exactly(rest: Uint8Array, length: number): Uint8Array {
  if (rest.length < length) throw new GossipFormatError('cut short');
  return rest.subarray(0, length);
}

/** Type and length, which are sealed with the contents. */
export const STREAM_HEAD_BYTES = 5;

/** A message as it goes over TCP. */
export function sealStream(keyring: Keyring, plain: Uint8Array): Buffer {
  const head = Buffer.alloc(STREAM_HEAD_BYTES);
  head.writeUInt32BE(plain.length + SEAL_BYTES, head.writeUInt8(MessageType.ENCRYPT));
  return Buffer.concat([head, keyring.seal(plain, head)]);
}

/** How many bytes follow the head. Throws {@link GossipFormatError} for what is not sealed, or too long. */
export function streamLength(head: Uint8Array): number {
  if (head[0] !== MessageType.ENCRYPT) throw new GossipFormatError('a stream that is not sealed');
  const length = Buffer.from(head).readUInt32BE(1);
  if (length > STREAM_BYTES_MAX) throw new GossipFormatError('a stream that is too long');
  return length;
}

/** The contents of a whole stream, head and all. Throws {@link GossipFormatError}. */
export function openStream(keyring: Keyring, frame: Uint8Array): Buffer {
  const head = frame.subarray(0, STREAM_HEAD_BYTES);
  return keyring.open(frame.subarray(STREAM_HEAD_BYTES), head);
}
