import { createSocket } from 'node:dgram';

const VNI_IS_VALID = 0x08;
const IPV4 = 0x0800;
const UDP = 17;
const ETHERNET_BYTES = 14;
const IP_BYTES = 20;
const UDP_BYTES = 8;

/** Of an endpoint in an overlay network: the address tells the hardware address. */
const hardwareAddress = (address: string) => [0x02, 0x42, ...address.split('.').map(Number)];

/** A VXLAN packet that holds a UDP datagram between two addresses of a network, as anybody can make. */
function forge(vni: number, from: string, to: string, port: number, text: string): Buffer {
  const tunnel = Buffer.alloc(8);
  tunnel[0] = VNI_IS_VALID;
  tunnel.writeUInt32BE(vni << 8, 4);
  const ethernet = Buffer.alloc(ETHERNET_BYTES);
  ethernet.set([...hardwareAddress(to), ...hardwareAddress(from)]);
  ethernet.writeUInt16BE(IPV4, 12);
  const ip = Buffer.alloc(IP_BYTES);
  ip[0] = 0x45;
  ip.writeUInt16BE(IP_BYTES + UDP_BYTES + text.length, 2);
  ip[8] = 64;
  ip[9] = UDP;
  ip.set(from.split('.').map(Number), 12);
  ip.set(to.split('.').map(Number), 16);
  ip.writeUInt16BE(checksum(ip), 10);
  const udp = Buffer.alloc(UDP_BYTES); // without a checksum, which is allowed
  udp.writeUInt16BE(port, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(UDP_BYTES + text.length, 4);
  return Buffer.concat([tunnel, ethernet, ip, udp, Buffer.from(text)]);
}

/** RFC 1071 */
function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Sends a forged datagram into a network, through a node's tunnel port. */
export async function intrude(
  node: { address: string; tunnelPort: number },
  network: { vni: number; from: string; to: string; port: number },
): Promise<void> {
  const packet = forge(network.vni, network.from, network.to, network.port, 'intruder');
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.send(packet, node.tunnelPort, node.address, resolve));
  socket.close();
}
