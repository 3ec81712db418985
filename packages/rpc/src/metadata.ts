import { organizationalUnit } from '@skep/ca';
import type { Forwarded } from './contract.js';

/** Metadata of a call, by lower-case key. */
export type Metadata = Readonly<Record<string, string | string[] | undefined>>;

/** Keys by which a manager forwards a call, SwarmKit's (wire.md 1.4). */
export const ForwardKey = {
  REDIRECT: 'redirect',
  FORWARDED: 'forwarded_cert',
  NODE_ID: 'forwarded_cert_cn',
  UNIT: 'forwarded_cert_ou',
  CLUSTER_ID: 'forwarded_cert_org',
  ADDRESS: 'remote_addr',
} as const;

/**
 * What a forwarding manager adds to a call. Of a caller without a certificate, the parts are empty.
 */
export function forwardMetadata(forwarded: Forwarded | undefined): Record<string, string> {
  if (!forwarded) return {};
  const { caller, redirectedBy } = forwarded;
  if (caller === 'own') return { [ForwardKey.REDIRECT]: redirectedBy };
  const { identity, address } = caller;
  return {
    [ForwardKey.REDIRECT]: redirectedBy,
    [ForwardKey.FORWARDED]: 'true',
    [ForwardKey.NODE_ID]: identity?.nodeId ?? '',
    [ForwardKey.CLUSTER_ID]: identity?.clusterId ?? '',
    ...(identity && { [ForwardKey.UNIT]: organizationalUnit(identity.role) }),
    [ForwardKey.ADDRESS]: withPort(address),
  };
}

/** All values of a key; one that came more than once may have been joined by commas on its way. */
export function valuesOf(metadata: Metadata, key: string): string[] {
  const value = metadata[key];
  if (value === undefined) return [];
  const values = Array.isArray(value) ? value : value.split(',');
  return values.map((part) => part.trim()).filter((part) => part !== '');
}

/** SwarmKit splits the port off the address it is told, and fails where there is none. */
function withPort(address: string): string {
  return address.includes(':') ? `[${address}]:0` : `${address}:0`;
}

/** The host of `host:port` or `[host]:port`. */
export function hostOf(address: string): string {
  const end = address.lastIndexOf(':');
  const host = end < 0 ? address : address.slice(0, end);
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
