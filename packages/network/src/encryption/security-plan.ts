import { isDeepStrictEqual } from 'node:util';
import { bytesOfAddress } from '../address/ipv4.js';
import {
  HOST,
  type KernelCommand,
  type SecurityAssociation,
  type SecurityPolicy,
  type SecurityView,
} from '../kernel/contract.js';
import type { IpsecKey, IpsecKeys } from './ipsec-keys.js';

/**
 * Of the datagrams that IPsec seals: what Docker Engines call theirs, so that an admin's rules for one
 * fit the other. Of meaning within this host alone.
 */
export const IPSEC_MARK = 0xd0_c4e3;
/**
 * By which associations and policies are known as ours ("skep", as bytes). A Docker Engine removes all
 * with its own number when it starts, whoever has made them.
 */
export const IPSEC_REQUEST_ID = 0x736b_6570;

const FNV_BASIS = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

/**
 * Numbers of packets, of 2^32, after which an association is made anew, with other nonces: keys are rotated
 * twice a day, but a fast way can use them all up before. The other end looks at no numbers.
 */
const USED_NUMBERS_MAX = 2 ** 31;

/** Whom this node exchanges sealed datagrams with, and how. IPv4 addresses. */
export interface SecuritySetting {
  localAddress: string;
  udpPort: number;
  keys: IpsecKeys;
  peers: readonly string[];
}

/**
 * By which packets from one node to another name the key they are sealed with. Nobody tells it: each end
 * works it out. FNV-1a of both addresses, as IPv6 has them, around the key's tag (wire.md 5.11).
 */
export function parameterIndex(source: string, destination: string, tag: number): number {
  const tagBytes = Buffer.alloc(4);
  tagBytes.writeUInt32BE(tag);
  const bytes = Buffer.concat([mapped(source), tagBytes, mapped(destination)]);
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, FNV_PRIME) >>> 0, FNV_BASIS);
}

/** What the kernel should have: a way in for each key, and a way out for the primary one. */
export function planSecurity(setting: SecuritySetting): SecurityView {
  const { keys, localAddress, peers, udpPort } = setting;
  const associations: SecurityAssociation[] = [];
  const policies: SecurityPolicy[] = [];
  for (const peer of new Set(peers)) {
    associations.push(...keys.all.map((key) => associationOf(peer, localAddress, key)));
    const forward = associationOf(localAddress, peer, keys.primary);
    associations.push(forward);
    const { source, destination, spi, requestId } = forward;
    policies.push({ source, destination, udpPort, mark: IPSEC_MARK, spi, requestId });
  }
  return { associations, policies };
}

/**
 * What brings the kernel to what it should have. `add` comes first: a new key is known before it is used,
 * and an old one is used no more before it is forgotten. Nothing of others is touched but what is in place
 * of ours.
 */
export function securityChanges(
  standing: SecurityView,
  wanted: SecurityView,
): { add: KernelCommand[]; remove: KernelCommand[] } {
  const namespace = HOST;
  const add: KernelCommand[] = [];
  for (const association of wanted.associations) {
    const other = standing.associations.find((one) => isSameWay(one, association));
    if (other && isAsWanted(other, association)) continue;
    if (other) add.push({ op: 'xfrm-state-remove', namespace, ...other });
    add.push({ op: 'xfrm-state-add', namespace, ...association });
  }
  for (const policy of wanted.policies) {
    if (standing.policies.some((one) => isDeepStrictEqual(one, policy))) continue;
    add.push({ op: 'xfrm-policy-add', namespace, ...policy });
  }
  const policies = standing.policies.filter(
    (one) => isOurs(one) && !wanted.policies.some((policy) => isSamePackets(one, policy)),
  );
  const associations = standing.associations.filter(
    (one) => isOurs(one) && !wanted.associations.some((other) => isSameWay(one, other)),
  );
  const remove: KernelCommand[] = [
    ...policies.map((one) => ({ op: 'xfrm-policy-remove', namespace, ...one }) as const),
    ...associations.map((one) => ({ op: 'xfrm-state-remove', namespace, ...one }) as const),
  ];
  return { add, remove };
}

export function isOurs({ requestId }: { requestId: number }): boolean {
  return requestId === IPSEC_REQUEST_ID;
}

/** The index is the salt, so that no two ways share a nonce though they share a key. */
function associationOf(source: string, destination: string, key: IpsecKey): SecurityAssociation {
  const spi = parameterIndex(source, destination, key.tag);
  const salt = Buffer.alloc(4);
  salt.writeUInt32BE(spi);
  const sealing = new Uint8Array([...key.key, ...salt]);
  return { source, destination, spi, requestId: IPSEC_REQUEST_ID, key: sealing };
}

function mapped(address: string): Buffer {
  return Buffer.concat([Buffer.alloc(10), Buffer.of(0xff, 0xff), bytesOfAddress(address)]);
}

/** The kernel has one for each destination and index. */
function isSameWay(one: SecurityAssociation, other: SecurityAssociation): boolean {
  return one.destination === other.destination && one.spi === other.spi;
}

function isAsWanted(one: SecurityAssociation, other: SecurityAssociation): boolean {
  const { source, requestId, key, usedNumbers = 0 } = one;
  const isShown = key.some((byte) => byte !== 0);
  // A kernel in lockdown shows zeros.
  const isSameKey = isShown
    ? Buffer.compare(key, other.key) === 0
    : key.length === other.key.length;
  const isFresh = usedNumbers < USED_NUMBERS_MAX;
  return source === other.source && requestId === other.requestId && isSameKey && isFresh;
}

function isSamePackets(one: SecurityPolicy, other: SecurityPolicy): boolean {
  const { source, destination, udpPort, mark } = other;
  return (
    one.source === source &&
    one.destination === destination &&
    one.udpPort === udpPort &&
    one.mark === mark
  );
}
