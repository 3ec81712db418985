import type { Random } from '@skep/platform';
import type { ClusterObject } from '@skep/wire';
import type { EncryptionKey } from '@skep/wire/swarmkit';
import { newBootstrapKeys } from '../cluster/bootstrap-keys.js';
import { KEYS_PER_SUBSYSTEM, newNetworkKey } from '../cluster/network-key.js';

type Keys = Pick<ClusterObject, 'networkBootstrapKeys' | 'encryptionKeyLamportClock'>;

/**
 * The network keys with one new key in each subsystem and, where it is full, without its oldest.
 * Nodes then go on hearing each other by the keys that stay. A cluster without keys gets its first.
 */
export function withNewKeys(
  { networkBootstrapKeys: held, encryptionKeyLamportClock }: Keys,
  random: Random,
): Keys {
  if (held.length === 0) {
    const { keys, clock } = newBootstrapKeys(random);
    return { networkBootstrapKeys: keys, encryptionKeyLamportClock: clock };
  }
  let clock = encryptionKeyLamportClock;
  for (const { lamportTime } of held) if (lamportTime > clock) clock = lamportTime;
  const keys = [...bySubsystem(held)].flatMap(([subsystem, ring]) => {
    const kept = ring
      .toSorted((left, right) => (left.lamportTime < right.lamportTime ? -1 : 1))
      .slice(-(KEYS_PER_SUBSYSTEM - 1));
    return [...kept, newNetworkKey(subsystem, ++clock, random)];
  });
  return { networkBootstrapKeys: keys, encryptionKeyLamportClock: clock };
}

function bySubsystem(keys: readonly EncryptionKey[]): Map<string, EncryptionKey[]> {
  const rings = new Map<string, EncryptionKey[]>();
  for (const key of keys) {
    const ring = rings.get(key.subsystem);
    if (ring) ring.push(key);
    else rings.set(key.subsystem, [key]);
  }
  return rings;
}
