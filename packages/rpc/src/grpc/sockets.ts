import net from 'node:net';
import tls from 'node:tls';
import { splitAddress } from '../address.js';
import type { ConnectOptions } from '../client/connection.js';
import { CONNECT_TIMEOUT_MS } from '../limits.js';
import { distrust } from './server-trust.js';

/** Connects, and checks whom it met, within {@link CONNECT_TIMEOUT_MS}. */
export function openTlsSocket(options: ConnectOptions): Promise<tls.TLSSocket> {
  const { address, serverName, rootPem, own, clock } = options;
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host,
      port,
      servername: serverName,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false, // decided below
      ...(rootPem !== undefined && { ca: rootPem }),
      ...(own && { cert: own.certificatePem, key: own.keyPem }),
    });
    const cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () => {
      socket.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' }));
    });
    const onError = (error: Error) => {
      cancelTimer();
      socket.destroy();
      reject(error);
    };
    const onClose = () => onError(new Error('EOF'));
    socket.setNoDelay(true);
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      const problem = rootPem && distrust(socket, serverName, rootPem, clock.now());
      if (problem) return onError(problem);
      cancelTimer();
      socket.off('error', onError);
      socket.off('close', onClose);
      resolve(socket);
    });
  });
}

/** Connects to a unix socket, which is done at once or not at all. */
export function openLocalSocket(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
