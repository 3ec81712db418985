import { isIP } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { PeerRecordSchema } from '@skep/wire/networkdb';

/** Where nodes write behind which of them an address is. */
export const PEER_TABLE = 'overlay_peer_table';

/** An address of a network, and the node it is at. */
export interface GossipedPeer {
  /** With prefix length. */
  address: string;
  /** `02:42:0a:00:01:05` */
  mac: string;
  /** Where the node takes VXLAN packets. */
  tunnelAddress: string;
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

export function encodePeer({ address, mac, tunnelAddress }: GossipedPeer): Uint8Array {
  const fields = { endpointIp: address, endpointMac: mac, tunnelEndpointIp: tunnelAddress };
  return toBinary(PeerRecordSchema, create(PeerRecordSchema, fields));
}

/** Undefined for what is no such record, or one that leads nowhere. */
export function decodePeer(value: Uint8Array): GossipedPeer | undefined {
  try {
    const { endpointIp, endpointMac, tunnelEndpointIp } = fromBinary(PeerRecordSchema, value);
    const [ip = '', length = ''] = endpointIp.split('/');
    const isAddress = isIP(ip) !== 0 && /^\d{1,3}$/.test(length);
    if (!isAddress || !MAC.test(endpointMac) || isIP(tunnelEndpointIp) === 0) return undefined;
    return { address: endpointIp, mac: endpointMac, tunnelAddress: tunnelEndpointIp };
  } catch {
    return undefined;
  }
}
