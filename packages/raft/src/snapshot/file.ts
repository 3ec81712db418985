import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Random } from '@skep/platform';
import { ConfStateSchema, SnapshotMetadataSchema, SnapshotSchema } from '@skep/wire/raftpb';
import { LogCorruptError } from '../errors.js';
import { KEY_ID_BYTES, SALT_BYTES } from '../keys/cipher.js';
import type { KeyRing } from '../keys/ring.js';
import { crc32c } from '../log/crc32c.js';
import type { LogPosition } from '../log/entry.js';

/** A snapshot, and what Raft must know of it. */
export interface RaftSnapshot extends LogPosition {
  /** Raft ids that vote as of `index`. */
  voters: readonly bigint[];
  /** The bytes of an api.Snapshot. */
  data: Uint8Array;
}

/*
 * File, little-endian: magic 8 bytes, version u32, CRC-32C u32 of all after it, id of the data key,
 * salt of the file's key, then a raftpb Snapshot, sealed.
 */
const MAGIC = Buffer.from('SKEPSNP\n');
const FORMAT_VERSION = 1;
const VERSION_AT = 8;
const CRC_AT = 12;
const KEY_ID_AT = 16;
const SALT_AT = KEY_ID_AT + KEY_ID_BYTES;
const BODY_AT = SALT_AT + SALT_BYTES;

/** The bytes of a snapshot's file. */
export function encodeSnapshotFile(
  snapshot: RaftSnapshot,
  keys: KeyRing,
  random: Random,
): Uint8Array {
  const key = keys.current;
  const salt = random.bytes(SALT_BYTES);
  const header = Buffer.alloc(BODY_AT);
  MAGIC.copy(header);
  header.writeUInt32LE(FORMAT_VERSION, VERSION_AT);
  header.set(key.id, KEY_ID_AT);
  header.set(salt, SALT_AT);
  const body = key.forFile(salt, random).seal(encodeMessage(snapshot), header.subarray(KEY_ID_AT));
  header.writeUInt32LE(crc32c(body, crc32c(header.subarray(KEY_ID_AT))), CRC_AT);
  return Buffer.concat([header, body]);
}

/** Bytes at a file's start that {@link keyIdOf} needs. */
export const KEY_ID_END = SALT_AT;

/** Fingerprint of the key that a snapshot's file is encrypted under, as its first bytes say. */
export function keyIdOf(start: Uint8Array): Uint8Array {
  return start.subarray(KEY_ID_AT, KEY_ID_END);
}

/** Reads a snapshot's file. Throws {@link LogCorruptError}. */
export function decodeSnapshotFile(
  path: string,
  file: Uint8Array,
  keys: KeyRing,
  random: Random,
): RaftSnapshot {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const refuse = (why: string) => new LogCorruptError(path, why);
  if (bytes.length < BODY_AT || !bytes.subarray(0, VERSION_AT).equals(MAGIC)) {
    throw refuse('not a snapshot');
  }
  const version = bytes.readUInt32LE(VERSION_AT);
  if (version !== FORMAT_VERSION) throw refuse(`format ${version} is not known`);
  if (crc32c(bytes.subarray(KEY_ID_AT)) !== bytes.readUInt32LE(CRC_AT)) throw refuse('damaged');
  const key = keys.find(bytes.subarray(KEY_ID_AT, SALT_AT));
  if (!key) throw refuse('encrypted under another key');
  const cipher = key.forFile(bytes.subarray(SALT_AT, BODY_AT), random);
  const plain = cipher.open(bytes.subarray(BODY_AT), bytes.subarray(KEY_ID_AT, BODY_AT));
  if (!plain) throw refuse('cannot be decrypted');
  return decodeMessage(plain);
}

function encodeMessage({ index, term, voters, data }: RaftSnapshot): Uint8Array {
  const confState = create(ConfStateSchema, { voters: [...voters], autoLeave: false });
  const metadata = create(SnapshotMetadataSchema, { confState, index, term });
  return toBinary(SnapshotSchema, create(SnapshotSchema, { data, metadata }));
}

function decodeMessage(bytes: Uint8Array): RaftSnapshot {
  const { data, metadata } = fromBinary(SnapshotSchema, bytes);
  return {
    index: metadata?.index ?? 0n,
    term: metadata?.term ?? 0n,
    voters: metadata?.confState?.voters ?? [],
    data,
  };
}
