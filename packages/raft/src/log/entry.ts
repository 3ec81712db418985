import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EntrySchema, EntryType, HardStateSchema, SnapshotMetadataSchema } from '@skep/wire/raftpb';

export { EntryType };

/** One entry of the log. Payloads are opaque here, and kept byte for byte. */
export interface LogEntry {
  index: bigint;
  term: bigint;
  type: EntryType;
  /** Empty for the entry that opens a term. */
  data: Uint8Array;
}

/** What a Raft node must not forget besides its log. */
export interface HardState {
  term: bigint;
  /** Raft id voted for in `term`; 0 for none. */
  vote: bigint;
  /** Largest index known to be committed when this was written. */
  commit: bigint;
}

/** An entry's place in the log. */
export interface LogPosition {
  index: bigint;
  term: bigint;
}

/** As etcd-raft writes it: zeros written, an empty payload left out (wire-raft.md 3.1). */
export function encodeEntry({ index, term, type, data }: LogEntry): Uint8Array {
  const message = create(EntrySchema, { Type: type, Term: term, Index: index });
  if (data.length > 0) message.Data = data;
  return toBinary(EntrySchema, message);
}

export function decodeEntry(bytes: Uint8Array): LogEntry {
  const { Index, Term, Type, Data } = fromBinary(EntrySchema, bytes);
  return { index: Index, term: Term, type: Type, data: Data };
}

export function encodeHardState(state: HardState): Uint8Array {
  return toBinary(HardStateSchema, create(HardStateSchema, state));
}

export function decodeHardState(bytes: Uint8Array): HardState {
  const { term, vote, commit } = fromBinary(HardStateSchema, bytes);
  return { term, vote, commit };
}

export function encodePosition({ index, term }: LogPosition): Uint8Array {
  return toBinary(SnapshotMetadataSchema, create(SnapshotMetadataSchema, { index, term }));
}

export function decodePosition(bytes: Uint8Array): LogPosition {
  const { index, term } = fromBinary(SnapshotMetadataSchema, bytes);
  return { index, term };
}

/** The largest of some indexes. */
export function largest(first: bigint, ...others: readonly bigint[]): bigint {
  let max = first;
  for (const other of others) if (other > max) max = other;
  return max;
}

/** The smallest of some indexes. */
export function smallest(first: bigint, ...others: readonly bigint[]): bigint {
  let min = first;
  for (const other of others) if (other < min) min = other;
  return min;
}
