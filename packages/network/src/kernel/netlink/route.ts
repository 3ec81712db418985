import { invariant } from '@skep/platform';
import {
  bytesOfAddress,
  formatAddress,
  parseInterfaceAddress,
  type Subnet,
  subnetOf,
} from '../../address/ipv4.js';
import type { RoutingRule } from '../contract.js';
import { attribute, decodeAttributes, u32 } from './codec.js';

/**
 * Bodies of rtnetlink's address, route and rule messages (IPv4). Source: linux/rtnetlink.h,
 * fib_rules.h.
 */

export const AddressMessage = { NEW: 20, DELETE: 21, GET: 22 } as const;
export const RouteMessage = { NEW: 24, DELETE: 25, GET: 26 } as const;
export const RuleMessage = { NEW: 32, DELETE: 33, GET: 34 } as const;

export const MAIN_TABLE = 254;

const AF_INET = 2;
const ADDRESS_HEADER_BYTES = 8;
const ROUTE_HEADER_BYTES = 12;
const Ifa = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 } as const;
const Rta = { DESTINATION: 1, LINK: 4, GATEWAY: 5, TABLE: 15 } as const;
const Fra = { SOURCE: 2, PRIORITY: 6, MARK: 10, TABLE: 15 } as const;
const PROTOCOL_STATIC = 4;
const SCOPE_LINK = 253;
const TYPE_UNICAST = 1;
const ACTION_TO_TABLE = 1;
/** A table's number also fits the header's byte only up to here; RTA_TABLE carries it always. */
const TABLE_BYTE_MAX = 255;

function dottedBytes(address: number): Buffer {
  return bytesOfAddress(formatAddress(address));
}

/** `address` as `10.0.0.5/24`. */
export function encodeAddress(linkIndex: number, address: string): Buffer {
  const parsed = parseInterfaceAddress(address);
  invariant(parsed, 'an interface address', { address });
  const { prefixLength, network } = parsed.subnet;
  const header = Buffer.alloc(ADDRESS_HEADER_BYTES);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(linkIndex, 4);
  const own = dottedBytes(parsed.address);
  const parts = [header, attribute(Ifa.LOCAL, own), attribute(Ifa.ADDRESS, own)];
  if (prefixLength < 31) {
    parts.push(attribute(Ifa.BROADCAST, dottedBytes(network + 2 ** (32 - prefixLength) - 1)));
  }
  return Buffer.concat(parts);
}

export function encodeAddressDump(): Buffer {
  const header = Buffer.alloc(ADDRESS_HEADER_BYTES);
  header.writeUInt8(AF_INET, 0);
  return header;
}

export function decodeAddress(body: Buffer): { linkIndex: number; address: string } {
  const attributes = decodeAttributes(body.subarray(ADDRESS_HEADER_BYTES));
  const bytes = attributes.get(Ifa.LOCAL) ?? attributes.get(Ifa.ADDRESS) ?? Buffer.alloc(4);
  return {
    linkIndex: body.readUInt32LE(4),
    address: `${formatAddress(bytes.readUInt32BE())}/${body.readUInt8(1)}`,
  };
}

function tableByte(table: number): number {
  return table <= TABLE_BYTE_MAX ? table : 0;
}

export interface RouteSpec {
  /** Undefined: default. */
  destination: Subnet | undefined;
  gateway?: string;
  linkIndex?: number;
  table: number;
}

/** The destination of a command: a subnet's text or `default`. */
export function parseDestination(text: string): Subnet | undefined {
  return text === 'default' ? undefined : subnetOf(text);
}

export function encodeRoute(route: RouteSpec): Buffer {
  const header = Buffer.alloc(ROUTE_HEADER_BYTES);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(route.destination?.prefixLength ?? 0, 1);
  header.writeUInt8(tableByte(route.table), 4);
  header.writeUInt8(PROTOCOL_STATIC, 5);
  header.writeUInt8(route.gateway ? 0 : SCOPE_LINK, 6);
  header.writeUInt8(TYPE_UNICAST, 7);
  const parts = [header, u32(Rta.TABLE, route.table)];
  if (route.destination) {
    parts.push(attribute(Rta.DESTINATION, dottedBytes(route.destination.network)));
  }
  if (route.gateway) parts.push(attribute(Rta.GATEWAY, bytesOfAddress(route.gateway)));
  if (route.linkIndex !== undefined) parts.push(u32(Rta.LINK, route.linkIndex));
  return Buffer.concat(parts);
}

export function encodeRouteDump(): Buffer {
  const header = Buffer.alloc(ROUTE_HEADER_BYTES);
  header.writeUInt8(AF_INET, 0);
  return header;
}

export interface DecodedRoute {
  destination: string;
  gateway: string;
  linkIndex: number;
  table: number;
  /** A route to other machines, not a local or broadcast entry. */
  unicast: boolean;
}

export function decodeRoute(body: Buffer): DecodedRoute {
  const attributes = decodeAttributes(body.subarray(ROUTE_HEADER_BYTES));
  const destination = attributes.get(Rta.DESTINATION);
  const gateway = attributes.get(Rta.GATEWAY);
  return {
    destination: destination
      ? `${formatAddress(destination.readUInt32BE())}/${body.readUInt8(1)}`
      : 'default',
    gateway: gateway ? formatAddress(gateway.readUInt32BE()) : '',
    linkIndex: attributes.get(Rta.LINK)?.readUInt32LE() ?? 0,
    table: attributes.get(Rta.TABLE)?.readUInt32LE() ?? body.readUInt8(4),
    unicast: body.readUInt8(7) === TYPE_UNICAST,
  };
}

export function encodeRule(rule: RoutingRule): Buffer {
  const source = 'from' in rule ? subnetOf(rule.from) : undefined;
  const header = Buffer.alloc(ROUTE_HEADER_BYTES);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(source?.prefixLength ?? 0, 2);
  header.writeUInt8(tableByte(rule.table), 4);
  header.writeUInt8(ACTION_TO_TABLE, 7);
  return Buffer.concat([
    header,
    ...(source ? [attribute(Fra.SOURCE, dottedBytes(source.network))] : []),
    ...('mark' in rule ? [u32(Fra.MARK, rule.mark)] : []),
    u32(Fra.PRIORITY, rule.priority),
    u32(Fra.TABLE, rule.table),
  ]);
}

export const encodeRuleDump = encodeRouteDump;

/** Undefined for a rule that selects by something else. */
export function decodeRule(body: Buffer): RoutingRule | undefined {
  const attributes = decodeAttributes(body.subarray(ROUTE_HEADER_BYTES));
  const table = attributes.get(Fra.TABLE)?.readUInt32LE() ?? body.readUInt8(4);
  const priority = attributes.get(Fra.PRIORITY)?.readUInt32LE() ?? 0;
  const mark = attributes.get(Fra.MARK)?.readUInt32LE();
  const source = attributes.get(Fra.SOURCE)?.readUInt32BE();
  if (mark) return { mark, table, priority };
  if (source === undefined) return undefined;
  return { from: `${formatAddress(source)}/${body.readUInt8(2)}`, table, priority };
}
