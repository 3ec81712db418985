import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Clock } from '@skep/platform';
import { KernelError, type NamespacePath } from '../../kernel/contract.js';
import type { SocketOpener } from '../../kernel/socket-contract.js';
import { NAME_PORT_MAX, NAME_PORT_MIN, TCP_CONNECTIONS_MAX } from '../limits.js';
import type { NameListener, NameProtocol, QuestionHandler } from './contract.js';
import { noLookup } from './no-lookup.js';
import { serveConnection } from './tcp-connection.js';

export interface ListenOptions {
  opener: SocketOpener;
  clock: Clock;
  namespace: NamespacePath;
  address: string;
  handler: QuestionHandler;
}

interface OpenSocket {
  port: number;
  close(): void;
}

/** Opens what one container's questions come to, on the first ports that are free there. */
export async function openListener(options: ListenOptions): Promise<NameListener> {
  const udp = await openUdp(options);
  try {
    const tcp = await openTcp(options);
    const close = () => {
      udp.close();
      tcp.close();
    };
    return { udpPort: udp.port, tcpPort: tcp.port, close };
  } catch (error) {
    udp.close();
    throw error;
  }
}

async function openUdp(options: ListenOptions): Promise<OpenSocket> {
  const { handler } = options;
  const { fd, port } = await bindFirstFree(options, 'udp');
  const socket = createSocket({ type: 'udp4', lookup: noLookup });
  let open = true;
  const ignored = () => {}; // an answer that could not be sent is one that was lost
  socket.on('message', (message: Buffer, sender: RemoteInfo) => {
    handler(message, 'udp', (answer) => {
      if (open) socket.send(answer, 0, answer.length, sender.port, sender.address, ignored);
    });
  });
  socket.on('error', ignored);
  socket.bind({ fd, exclusive: true });
  const close = () => {
    if (open) socket.close();
    open = false;
  };
  return { port, close };
}

async function openTcp(options: ListenOptions): Promise<OpenSocket> {
  const { handler, clock } = options;
  const { fd, port } = await bindFirstFree(options, 'tcp');
  const connections = new Set<() => void>();
  const server = createServer({ noDelay: true });
  server.maxConnections = TCP_CONNECTIONS_MAX;
  server.on('connection', (socket) => {
    const destroy = () => socket.destroy();
    connections.add(destroy);
    socket.on('close', () => connections.delete(destroy));
    serveConnection({ socket, handler, clock });
  });
  server.listen({ fd, exclusive: true });
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const destroy of connections) destroy();
  };
  return { port, close };
}

async function bindFirstFree(
  { opener, namespace, address }: ListenOptions,
  protocol: NameProtocol,
): Promise<{ fd: number; port: number }> {
  for (let port = NAME_PORT_MIN; ; port++) {
    try {
      const near = { address, port };
      const fd = await opener.openSocket({ namespace, protocol, family: 4, near });
      return { fd, port };
    } catch (error) {
      const taken = error instanceof KernelError && error.code === 'EADDRINUSE';
      if (!taken || port === NAME_PORT_MAX) throw error;
    }
  }
}
