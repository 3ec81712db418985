import { create } from '@bufbuild/protobuf';
import type { Random } from '@skep/platform';
import { type EncryptionKey, EncryptionKeySchema } from '@skep/wire/swarmkit';

/** Who uses the keys: the nodes' gossip, and encrypted overlays (wire.md 5.1). */
const SUBSYSTEMS = ['networking:gossip', 'networking:ipsec'] as const;

/** A worker takes exactly this many keys of each subsystem. */
const KEYS_PER_SUBSYSTEM = 3;
const KEY_BYTES = 16;
const CLOCK_BYTES = 2;

/** The first keys of a swarm's networks, and the clock that orders them: times are unique over all keys. */
export function newBootstrapKeys(random: Random): { keys: EncryptionKey[]; clock: bigint } {
  let clock = BigInt(Buffer.from(random.bytes(CLOCK_BYTES)).readUInt16BE());
  const keys = SUBSYSTEMS.flatMap((subsystem) =>
    Array.from({ length: KEYS_PER_SUBSYSTEM }, () => {
      clock++;
      const key = random.bytes(KEY_BYTES);
      return create(EncryptionKeySchema, { subsystem, key, lamportTime: clock });
    }),
  );
  return { keys, clock };
}
