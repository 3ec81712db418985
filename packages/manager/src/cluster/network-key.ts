import { create } from '@bufbuild/protobuf';
import type { Random } from '@skep/platform';
import {
  type EncryptionKey,
  EncryptionKey_Algorithm,
  EncryptionKeySchema,
} from '@skep/wire/swarmkit';

/** Who uses the keys: the nodes' gossip, and encrypted overlays (wire.md 5.1). */
export const SUBSYSTEMS = ['networking:gossip', 'networking:ipsec'] as const;

/** A worker takes exactly this many keys of each subsystem. */
export const KEYS_PER_SUBSYSTEM = 3;
const KEY_BYTES = 16;

/** A new key of a subsystem; its Lamport time says which of the keys is the newest. */
export function newNetworkKey(
  subsystem: string,
  lamportTime: bigint,
  random: Random,
): EncryptionKey {
  return create(EncryptionKeySchema, {
    subsystem,
    algorithm: EncryptionKey_Algorithm.AES_128_GCM,
    key: random.bytes(KEY_BYTES),
    lamportTime,
  });
}
