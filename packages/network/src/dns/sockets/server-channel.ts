import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, isIPv6, Socket } from 'node:net';
import { HOST } from '../../kernel/contract.js';
import type { SocketOpener } from '../../kernel/socket-contract.js';
import type { NameProtocol, NameServer, ServerChannel, ServerEvents } from './contract.js';
import { noLookup } from './no-lookup.js';
import { FrameReader, frame } from './tcp-frames.js';

const SERVER_PORT = 53;

export interface ChannelOptions {
  opener: SocketOpener;
  server: NameServer;
  protocol: NameProtocol;
  message: Buffer;
  events: ServerEvents;
}

/** Sends one question to one server, by a socket of its own. */
export function openChannel(options: ChannelOptions): ServerChannel {
  const { events } = options;
  let closeSocket: (() => void) | undefined;
  let closed = false;
  const close = () => {
    closed = true;
    closeSocket?.();
    closeSocket = undefined;
  };
  const guarded: ServerEvents = {
    onMessage: (message) => {
      if (!closed) events.onMessage(message);
    },
    onFailure: (error) => {
      if (closed) return;
      close();
      events.onFailure(error);
    },
  };
  const open = options.protocol === 'udp' ? openUdp : openTcp;
  open(options, guarded).then(
    (opened) => {
      if (closed) opened();
      else closeSocket = opened;
    },
    (error: Error) => guarded.onFailure(error),
  );
  return { close };
}

/** Resolves what closes it. */
async function openUdp(options: ChannelOptions, events: ServerEvents): Promise<() => void> {
  const { server, message } = options;
  const type = isIPv6(server.address) ? 'udp6' : 'udp4';
  const fd = server.namespace === HOST ? undefined : await openElsewhere(options);
  const socket: DatagramSocket = createSocket({ type, lookup: noLookup });
  socket.on('message', (answer: Buffer) => events.onMessage(answer));
  socket.on('error', (error) => events.onFailure(error));
  if (fd !== undefined) socket.bind({ fd, exclusive: true });
  let open = true;
  const failOn = (error: Error | null | undefined) => {
    if (error) events.onFailure(error);
  };
  // Connected, it takes datagrams of this server alone, and hears that nobody listens there.
  socket.connect(SERVER_PORT, server.address, (error?: Error) => {
    if (error) events.onFailure(error);
    else if (open) socket.send(message, failOn);
  });
  return () => {
    open = false;
    socket.close();
  };
}

async function openTcp(options: ChannelOptions, events: ServerEvents): Promise<() => void> {
  const { server, message } = options;
  const { address: host, namespace } = server;
  const socket =
    namespace === HOST
      ? connect({ host, port: SERVER_PORT })
      : new Socket({ fd: await openElsewhere(options), readable: true, writable: true });
  const frames = new FrameReader();
  socket.on('data', (chunk: Buffer) => {
    for (const answer of frames.read(chunk)) events.onMessage(answer);
  });
  socket.on('error', (error) => events.onFailure(error));
  socket.on('close', () => events.onFailure(new Error('the connection was closed')));
  socket.write(frame(message));
  return () => socket.destroy();
}

function openElsewhere({ opener, server, protocol }: ChannelOptions): Promise<number> {
  const { namespace, address } = server;
  const family = isIPv6(address) ? 6 : 4;
  // A connection is begun over there; datagrams only need to be sent from there.
  const far = protocol === 'tcp' ? { far: { address, port: SERVER_PORT } } : {};
  return opener.openSocket({ namespace, protocol, family, ...far });
}
