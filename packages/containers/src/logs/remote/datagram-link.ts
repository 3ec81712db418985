import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { closeSync } from 'node:fs';
import type { Clock } from '@skep/platform';
import { LOG_DATAGRAM_RETRY_MS } from '../../limits.js';
import type { Kernel } from '../../linux/kernel.js';
import type { LogLink } from './log-link.js';

/** A way to a socket of this machine that takes datagrams: the journal's, or a syslog's. */
export function openUnixDatagramLink(
  path: string,
  { kernel, clock, signal }: { kernel: Kernel; clock: Clock; signal: AbortSignal },
): LogLink {
  const socket = kernel.connectDatagram(path);
  return {
    async send(records) {
      const sent = await sendEach(records, async (record) => kernel.sendDatagram(socket, record));
      // The receiver's queue is full, and nothing would tell that it is no more.
      if (sent === 0) await clock.sleep(LOG_DATAGRAM_RETRY_MS, signal);
      return sent;
    },
    close: () => closeSync(socket),
  };
}

/** A way by UDP: nobody says whether anything arrives. */
export async function openUdpLink(host: string, port: number): Promise<LogLink> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  const sendOne = (record: Buffer) =>
    new Promise<boolean>((resolve, reject) => {
      socket.send(record, port, address, (error) => (error ? reject(error) : resolve(true)));
    });
  return {
    async send(records) {
      if (failure) throw failure;
      return sendEach(records, sendOne);
    },
    close: () => void socket.close(),
  };
}

/** Sends one after the other as far as it goes; a failure is told when it is that of the first. */
async function sendEach(
  records: readonly Buffer[],
  sendOne: (record: Buffer) => Promise<boolean>,
): Promise<number> {
  let sent = 0;
  for (const record of records) {
    try {
      if (!(await sendOne(record))) return sent;
    } catch (error) {
      if (sent === 0) throw error;
      return sent;
    }
    sent++;
  }
  return sent;
}
