import type { Duplex } from 'node:stream';
import type { Cancel, Clock } from '@skep/platform';
import { TCP_IDLE_MS, TCP_PENDING_MAX } from '../limits.js';
import type { QuestionHandler } from './contract.js';
import { FrameReader, frame } from './tcp-frames.js';

export interface ConnectionOptions {
  socket: Duplex;
  handler: QuestionHandler;
  clock: Clock;
}

/**
 * Answers the questions of one connection. While too many wait, or the client does not read its
 * answers, nothing is read; a connection that has been silent for a while is closed.
 */
export function serveConnection({ socket, handler, clock }: ConnectionOptions): void {
  const frames = new FrameReader();
  const waiting: Buffer[] = [];
  let pending = 0;
  let idle: Cancel = () => {};
  const restIdle = () => {
    idle();
    idle = clock.after(TCP_IDLE_MS, () => socket.destroy());
  };
  let busy = false;
  const handOn = () => {
    if (busy) return; // an answer within the loop below, which goes on by itself
    busy = true;
    while (pending < TCP_PENDING_MAX && waiting.length > 0) {
      const message = waiting.shift() as Buffer;
      pending++;
      handler(message, 'tcp', (answer) => {
        pending--;
        if (socket.destroyed) return;
        socket.write(frame(answer));
        handOn();
      });
    }
    busy = false;
    if (waiting.length > 0 || socket.writableNeedDrain) socket.pause();
    else socket.resume();
  };
  restIdle();
  socket.on('data', (chunk: Buffer) => {
    restIdle();
    waiting.push(...frames.read(chunk));
    handOn();
  });
  socket.on('drain', handOn);
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => idle());
}
