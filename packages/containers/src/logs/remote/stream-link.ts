import type { Socket } from 'node:net';
import type { Clock } from '@skep/platform';
import { LOG_CONNECT_MS_MAX, LOG_SEND_MS_MAX } from '../../limits.js';
import type { LogLink } from './log-link.js';

/** A way over a connection of bytes: TCP, TLS or a socket of this machine. */
export async function openStreamLink(
  socket: Socket,
  options: { clock: Clock; signal: AbortSignal; readyEvent: 'connect' | 'secureConnect' },
): Promise<LogLink> {
  const { clock, signal, readyEvent } = options;
  // Why it ended; a socket that ended without error says nothing more.
  let failure = new Error('the receiver closed the connection');
  let lose: () => void = () => {};
  let isLost = false;
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => {
    isLost = true;
    lose();
  });
  // What a receiver says is of no interest, but its end is.
  socket.resume();
  const bounded = <T>(ms: number, start: (resolve: (value: T) => void) => void) =>
    new Promise<T>((resolve, reject) => {
      const onAbort = () => socket.destroy();
      const cancel = clock.after(ms, () => socket.destroy(new Error(`no answer within ${ms} ms`)));
      const settle = () => {
        cancel();
        signal.removeEventListener('abort', onAbort);
      };
      lose = () => {
        settle();
        reject(failure);
      };
      if (isLost || signal.aborted) {
        socket.destroy();
        return lose();
      }
      signal.addEventListener('abort', onAbort, { once: true });
      start((value) => {
        settle();
        resolve(value);
      });
    });
  await bounded<void>(LOG_CONNECT_MS_MAX, (resolve) => socket.once(readyEvent, () => resolve()));
  return {
    send: (records) =>
      bounded<number>(LOG_SEND_MS_MAX, (resolve) => {
        socket.write(Buffer.concat(records), (error) => {
          if (!error) resolve(records.length);
        });
      }),
    close: () => void socket.destroy(),
  };
}
