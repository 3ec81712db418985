import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  type ClusterSnapshot,
  ClusterSnapshotSchema,
  Snapshot_Version as Version,
} from '@skep/wire/swarmkit';

/** What an api.Snapshot holds. */
export interface SnapshotContents {
  membership: ClusterSnapshot;
  /** The bytes of a StoreSnapshot, which are never encoded anew. */
  store: Uint8Array;
}

const VERSION_FIELD = 1;
const MEMBERSHIP_FIELD = 2;
const STORE_FIELD = 3;

/** The bytes of an api.Snapshot V0. */
export function encodeContents({ membership, store }: SnapshotContents): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(MEMBERSHIP_FIELD, WireType.LengthDelimited);
  writer.bytes(toBinary(ClusterSnapshotSchema, membership));
  writer.tag(STORE_FIELD, WireType.LengthDelimited).bytes(store);
  return writer.finish();
}

/** Throws when the bytes are not an api.Snapshot of a version known. */
export function decodeContents(bytes: Uint8Array): SnapshotContents {
  const reader = new BinaryReader(bytes);
  let membership = create(ClusterSnapshotSchema);
  let store: Uint8Array = new Uint8Array(0);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === VERSION_FIELD) {
      const version = reader.int32();
      if (version !== Version.V0) throw new Error(`unrecognized snapshot version ${version}`);
    } else if (field === MEMBERSHIP_FIELD) {
      membership = fromBinary(ClusterSnapshotSchema, reader.bytes());
    } else if (field === STORE_FIELD) {
      store = reader.bytes();
    } else {
      reader.skip(wireType, field);
    }
  }
  return { membership, store };
}
