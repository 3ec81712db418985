import { invariant } from '@skep/platform';
import { bytesOfAddress } from '../../address/ipv4.js';
import type { ConntrackMatch } from '../contract.js';
import { attribute, nested, u8, u16be, u32 } from './codec.js';

/**
 * Forgetting tracked connections that match a filter (kernel >= 5.8).
 * Source: linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.
 */

const SUBSYSTEM_CONNTRACK = 1;
const MESSAGE_DELETE = 2;
export const CONNTRACK_DELETE = (SUBSYSTEM_CONNTRACK << 8) | MESSAGE_DELETE;

const AF_INET = 2;
const NETFILTER_HEADER_BYTES = 4;
const Cta = { TUPLE_ORIGIN: 1, TUPLE_REPLY: 2, FILTER: 25 } as const;
const Tuple = { IP: 1, PROTOCOL: 2 } as const;
const IP_SOURCE = 1;
const Protocol = { NUMBER: 1, DESTINATION_PORT: 3 } as const;
const Filter = { ORIGIN_FLAGS: 1, REPLY_FLAGS: 2 } as const;
/** Which fields of a tuple count. */
const Field = { IP_SOURCE: 1 << 0, PROTOCOL_NUMBER: 1 << 3, DESTINATION_PORT: 1 << 5 } as const;
const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const;

function originTuple(match: ConntrackMatch): { parts: Buffer[]; flags: number } {
  const parts: Buffer[] = [];
  let flags = 0;
  if (match.originSource) {
    parts.push(nested(Tuple.IP, attribute(IP_SOURCE, bytesOfAddress(match.originSource))));
    flags |= Field.IP_SOURCE;
  }
  if (match.protocol) {
    const fields = [u8(Protocol.NUMBER, PROTOCOL_NUMBER[match.protocol])];
    flags |= Field.PROTOCOL_NUMBER;
    if (match.originPort !== undefined) {
      fields.push(u16be(Protocol.DESTINATION_PORT, match.originPort));
      flags |= Field.DESTINATION_PORT;
    }
    parts.push(nested(Tuple.PROTOCOL, ...fields));
  }
  return { parts, flags };
}

export function encodeConntrackDelete(match: ConntrackMatch): Buffer {
  const origin = originTuple(match);
  // An empty filter would forget every connection of the namespace.
  invariant(origin.flags !== 0 || match.replySource, 'a conntrack filter selects something');
  const header = Buffer.alloc(NETFILTER_HEADER_BYTES);
  header.writeUInt8(AF_INET, 0);
  const parts: Buffer[] = [header];
  if (origin.flags !== 0) parts.push(nested(Cta.TUPLE_ORIGIN, ...origin.parts));
  if (match.replySource) {
    const source = attribute(IP_SOURCE, bytesOfAddress(match.replySource));
    parts.push(nested(Cta.TUPLE_REPLY, nested(Tuple.IP, source)));
  }
  parts.push(
    nested(
      Cta.FILTER,
      u32(Filter.ORIGIN_FLAGS, origin.flags),
      u32(Filter.REPLY_FLAGS, match.replySource ? Field.IP_SOURCE : 0),
    ),
  );
  return Buffer.concat(parts);
}
