import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** A port of the host that nobody else can listen on while it is held. */
export interface HeldPort {
  release(): void;
}

/** Takes ports of the host, so that a conflict with anybody else's program is found. */
export interface PortHolder {
  /** Rejects with the system's error (`code` EADDRINUSE, EADDRNOTAVAIL, EACCES). */
  hold(protocol: 'tcp' | 'udp' | 'sctp', hostIp: string, port: number): Promise<HeldPort>;
}

/** Connections that get past the rules meet a held port; none is left waiting there. */
const BACKLOG = 16;

/** Holds ports by sockets of this process. SCTP is not held: Node cannot make such a socket. */
export class SocketPortHolder implements PortHolder {
  hold(protocol: 'tcp' | 'udp' | 'sctp', hostIp: string, port: number): Promise<HeldPort> {
    if (protocol === 'tcp') return holdTcp(hostIp, port);
    if (protocol === 'udp') return holdUdp(hostIp, port);
    return Promise.resolve({ release() {} });
  }
}

function holdTcp(host: string, port: number): Promise<HeldPort> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.resetAndDestroy());
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, exclusive: true }, () => {
      server.off('error', reject);
      server.on('error', () => {}); // an accept that fails changes nothing about the hold
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}

function holdUdp(address: string, port: number): Promise<HeldPort> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: false });
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      socket.unref();
      resolve({ release: () => socket.close() });
    });
  });
}
