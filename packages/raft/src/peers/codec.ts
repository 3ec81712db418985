import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type ConfState,
  EntrySchema,
  MessageSchema,
  MessageType,
  type Snapshot,
  SnapshotSchema,
  type Message as WireMessage,
} from '@skep/wire/raftpb';
import type { Message, SnapshotMeta } from '../core/contract.js';
import type { LogEntry } from '../log/entry.js';
import type { Envelope } from './contract.js';

const NO_BYTES = new Uint8Array(0);

/**
 * A message as etcd-raft 3.5 writes it: zeros written, a snapshot always present, an empty payload
 * or context left out (wire-raft.md 3.1).
 */
export function toWire({ message, snapshotData }: Envelope): WireMessage {
  const { type, to, from, term, logTerm, index, commit, reject, rejectHint } = message;
  const scalars = { type, to, from, term, logTerm, index, commit, reject, rejectHint };
  const entries = message.entries.map(entryToWire);
  const snapshot = create(SnapshotSchema, snapshotToWire(message.snapshot, snapshotData));
  const wire = create(MessageSchema, { ...scalars, entries, snapshot });
  if (message.context.length > 0) wire.context = message.context;
  return wire;
}

function entryToWire({ index, term, type, data }: LogEntry) {
  const entry = create(EntrySchema, { Type: type, Term: term, Index: index });
  if (data.length > 0) entry.Data = data;
  return entry;
}

function snapshotToWire(
  meta: SnapshotMeta | undefined,
  data: Uint8Array | undefined,
): MessageInitShape<typeof SnapshotSchema> {
  const confState = { voters: [...(meta?.voters ?? [])], autoLeave: false };
  const metadata = { confState, index: meta?.index ?? 0n, term: meta?.term ?? 0n };
  return data && data.length > 0 ? { data, metadata } : { metadata };
}

/** A message from the wire; what is absent is zero. */
export function fromWire(wire: WireMessage): Envelope {
  const { type, to, from, term, logTerm, index, commit, reject, rejectHint, context } = wire;
  const scalars = { type, to, from, term, logTerm, index, commit, reject, rejectHint, context };
  const entries = wire.entries.map(({ Index, Term, Type, Data }) => {
    return { index: Index, term: Term, type: Type, data: Data };
  });
  const snapshot = type === MessageType.MsgSnap ? metaFromWire(wire.snapshot) : undefined;
  const snapshotData = snapshot && (wire.snapshot?.data ?? NO_BYTES);
  return { message: { ...scalars, entries, snapshot }, snapshotData };
}

function metaFromWire(snapshot: Snapshot | undefined): SnapshotMeta {
  const metadata = snapshot?.metadata;
  const voters = votersOf(metadata?.confState);
  return { index: metadata?.index ?? 0n, term: metadata?.term ?? 0n, voters };
}

/** Without duplicates, on which etcd would panic (wire-raft.md 3.6). */
function votersOf(confState: ConfState | undefined): readonly bigint[] {
  return [...new Set(confState?.voters)];
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return toBinary(MessageSchema, toWire(envelope));
}

/** Throws when the bytes are not a message. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return fromWire(fromBinary(MessageSchema, bytes));
}

/** A message with all but what is given zero. */
export function blankMessage(fields: Partial<Message> & { type: MessageType }): Message {
  return {
    to: 0n,
    from: 0n,
    term: 0n,
    logTerm: 0n,
    index: 0n,
    entries: [],
    commit: 0n,
    snapshot: undefined,
    reject: false,
    rejectHint: 0n,
    context: NO_BYTES,
    ...fields,
  };
}
