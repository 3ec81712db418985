import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  BulkSyncMessageSchema,
  CompoundMessageSchema,
  type GossipMessage,
  GossipMessageSchema,
  MessageType,
  NetworkEventSchema,
  NetworkPushPullSchema,
  NodeEventSchema,
  TableEventSchema,
} from '@skep/wire/networkdb';
import { GossipFormatError } from '../errors.js';

/** A compound's own head (type and length), and what each message in it adds: tags and lengths. */
export const ENVELOPE_HEAD_BYTES = 8;
export const ENVELOPE_ENTRY_BYTES = 8;

/** A message of networkdb as it was read. */
export type TableMessage =
  | { kind: 'node-event'; event: MessageShape<typeof NodeEventSchema> }
  | { kind: 'network-event'; event: MessageShape<typeof NetworkEventSchema> }
  | { kind: 'table-event'; event: MessageShape<typeof TableEventSchema>; bytes: Uint8Array }
  | { kind: 'bulk-sync'; sync: MessageShape<typeof BulkSyncMessageSchema> }
  | { kind: 'push-pull'; state: MessageShape<typeof NetworkPushPullSchema> }
  | { kind: 'compound'; parts: Uint8Array[] };

export const encodeNodeEvent = encoderOf(MessageType.NODE_EVENT, NodeEventSchema);
export const encodeNetworkEvent = encoderOf(MessageType.NETWORK_EVENT, NetworkEventSchema);
export const encodeTableEvent = encoderOf(MessageType.TABLE_EVENT, TableEventSchema);
export const encodeBulkSync = encoderOf(MessageType.BULK_SYNC, BulkSyncMessageSchema);
export const encodePushPull = encoderOf(MessageType.PUSH_PULL, NetworkPushPullSchema);

function encoderOf<T extends DescMessage>(type: MessageType, schema: T) {
  return (message: MessageInitShape<T>): Uint8Array => {
    const data = toBinary(schema, create(schema, message));
    return toBinary(GossipMessageSchema, create(GossipMessageSchema, { type, data }));
  };
}

/** Several encoded messages as one. */
export function encodeCompound(parts: readonly Uint8Array[]): Uint8Array {
  const messages = parts.map((payload) => ({ payload }));
  const data = toBinary(CompoundMessageSchema, create(CompoundMessageSchema, { messages }));
  const envelope = create(GossipMessageSchema, { type: MessageType.COMPOUND, data });
  return toBinary(GossipMessageSchema, envelope);
}

/** Throws {@link GossipFormatError} for what is none. */
export function decodeEnvelope(bytes: Uint8Array): TableMessage {
  const { type, data } = decoded(GossipMessageSchema, bytes) as GossipMessage;
  switch (type) {
    case MessageType.NODE_EVENT:
      return { kind: 'node-event', event: decoded(NodeEventSchema, data) };
    case MessageType.NETWORK_EVENT:
      return { kind: 'network-event', event: decoded(NetworkEventSchema, data) };
    case MessageType.TABLE_EVENT:
      return { kind: 'table-event', event: decoded(TableEventSchema, data), bytes };
    case MessageType.BULK_SYNC:
      return { kind: 'bulk-sync', sync: decoded(BulkSyncMessageSchema, data) };
    case MessageType.PUSH_PULL:
      return { kind: 'push-pull', state: decoded(NetworkPushPullSchema, data) };
    case MessageType.COMPOUND: {
      const { messages } = decoded(CompoundMessageSchema, data);
      return { kind: 'compound', parts: messages.map(({ payload }) => payload) };
    }
    default:
      throw new GossipFormatError(`a message of the unknown type ${type}`);
  }
}

function decoded<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw new GossipFormatError(`no ${schema.name}`);
  }
}
