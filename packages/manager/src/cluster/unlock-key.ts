import { create } from '@bufbuild/protobuf';
import { newUnlockKey, organizationalUnit } from '@skep/ca';
import type { Random } from '@skep/platform';
import type { ClusterObject, CompleteClusterSpec } from '@skep/wire';
import { type EncryptionKey, EncryptionKeySchema } from '@skep/wire/swarmkit';

/** Whose data the key protects: managers'. */
const SUBSYSTEM = organizationalUnit('manager');

/** The key that managers are unlocked with; empty while they are not locked. */
export function managerUnlockKey({ spec, unlockKeys }: ClusterObject): Uint8Array {
  const held = unlockKeys.find(({ subsystem }) => subsystem === SUBSYSTEM);
  return (spec.encryptionConfig.autoLockManagers && held?.key) || new Uint8Array(0);
}

/**
 * The unlock keys as a spec wants them: one for managers while they are to be locked, kept unless
 * `rotate`; none of theirs otherwise. Keys of other subsystems stay.
 */
export function unlockKeysFor(
  { encryptionConfig }: CompleteClusterSpec,
  held: readonly EncryptionKey[],
  rotate: boolean,
  random: Random,
): EncryptionKey[] {
  const others = held.filter(({ subsystem }) => subsystem !== SUBSYSTEM);
  if (!encryptionConfig.autoLockManagers) return others;
  const current = held.find(({ subsystem }) => subsystem === SUBSYSTEM);
  if (current && !rotate) return [...held];
  return [...others, managerKey(newUnlockKey(random))];
}

/** The entry of a cluster's unlock keys that locks managers with this key. */
export function managerKey(key: Uint8Array): EncryptionKey {
  return create(EncryptionKeySchema, { subsystem: SUBSYSTEM, key });
}
