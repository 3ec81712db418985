import { hostAddress } from '../../address/host-address.js';
import type { SocketEnd, SocketRequest } from '../socket-contract.js';
import {
  bindSocket,
  closeSocket,
  connectSocket,
  openSocket,
  SystemCallError,
  setSocketOption,
} from './libc.js';
import type { Namespaces } from './namespaces.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

/** A socket that stays in its namespace, whoever uses it afterwards. */
export function openSocketIn(namespaces: Namespaces, request: SocketRequest): number {
  return namespaces.within(request.namespace, () => {
    const kind = request.protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
    const domain = request.family === 4 ? AF_INET : AF_INET6;
    const fd = openSocket(domain, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    try {
      prepare(fd, request);
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
    return fd;
  });
}

function prepare(fd: number, { protocol, near, far }: SocketRequest): void {
  // Connections that a process before this one closed do not hold up its successor.
  if (near && protocol === 'tcp') {
    setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, Buffer.of(1, 0, 0, 0));
  }
  if (near) bindSocket(fd, encodeEnd(near));
  if (far) connectSocket(fd, encodeEnd(far));
}

/** `struct sockaddr_in` or `sockaddr_in6`. */
function encodeEnd({ address, port }: SocketEnd): Buffer {
  const parsed = hostAddress(address);
  if (!parsed) throw new SystemCallError('EINVAL', `no address: ${address}`);
  const isIpv4 = parsed.version === 4;
  const bytes = Buffer.alloc(isIpv4 ? 16 : 28);
  bytes.writeUInt16LE(isIpv4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(parsed.data, isIpv4 ? 4 : 8);
  return bytes;
}
