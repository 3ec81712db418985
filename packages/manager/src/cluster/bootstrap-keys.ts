import type { Random } from '@skep/platform';
import type { EncryptionKey } from '@skep/wire/swarmkit';
import { KEYS_PER_SUBSYSTEM, newNetworkKey, SUBSYSTEMS } from './network-key.js';

const CLOCK_BYTES = 2;

/** The first keys of a swarm's networks, and the clock that orders them: times are unique over all keys. */
export function newBootstrapKeys(random: Random): { keys: EncryptionKey[]; clock: bigint } {
  let clock = BigInt(Buffer.from(random.bytes(CLOCK_BYTES)).readUInt16BE());
  const keys = SUBSYSTEMS.flatMap((subsystem) =>
    Array.from({ length: KEYS_PER_SUBSYSTEM }, () => newNetworkKey(subsystem, ++clock, random)),
  );
  return { keys, clock };
}
