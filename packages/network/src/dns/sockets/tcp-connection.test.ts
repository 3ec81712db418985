import { Duplex } from 'node:stream';
import { SimClock, settle } from '@skep/platform';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TCP_IDLE_MS, TCP_PENDING_MAX } from '../limits.js';
import type { QuestionHandler } from './contract.js';
import { serveConnection } from './tcp-connection.js';
import { FrameReader, frame } from './tcp-frames.js';

/** A connection whose other end is the test. */
function connection(handler: QuestionHandler) {
  const clock = new SimClock();
  const answers: string[] = [];
  const frames = new FrameReader();
  const socket = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _, done) => {
      answers.push(...frames.read(chunk).map(String));
      done();
    },
  });
  serveConnection({ socket, handler, clock });
  return { clock, socket, answers };
}

const questions = (count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, number) => frame(Buffer.from(`q${number}`))));

it('messages are put together, however they were cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 30 })), (sent, cuts) => {
      const frames = new FrameReader();
      const got: Buffer[] = [];
      let rest = Buffer.concat(sent.map(frame));
      for (const cut of [...cuts, rest.length]) {
        got.push(...frames.read(rest.subarray(0, cut)));
        rest = rest.subarray(cut);
      }
      expect(got.map((each) => [...each])).toEqual(sent.map((each) => [...each]));
    }),
  );
});

it('a connection answers all that it is asked, also many at once', async () => {
  const { socket, answers, clock } = connection((message, protocol, reply) => {
    reply(Buffer.from(`${message} by ${protocol}`));
  });
  socket.push(questions(5_000));
  await settle();
  expect(answers).toHaveLength(5_000);
  expect(answers.at(-1)).toBe('q4999 by tcp');
  socket.push(null);
  await settle();
  expect(socket.destroyed).toBe(true);
  expect(clock.pendingTimers).toBe(0);
});

it('a connection reads no further while too many questions wait', async () => {
  const waiting: (() => void)[] = [];
  const { socket, answers } = connection((message, _, reply) => {
    waiting.push(() => reply(message));
  });
  socket.push(questions(TCP_PENDING_MAX + 2));
  await settle();
  expect(waiting).toHaveLength(TCP_PENDING_MAX);
  expect(socket.isPaused()).toBe(true);
  for (const answer of waiting.splice(0, 2)) answer();
  await settle();
  expect(waiting).toHaveLength(TCP_PENDING_MAX);
  expect(socket.isPaused()).toBe(false);
  expect(answers).toEqual(['q0', 'q1']);
  socket.destroy();
  for (const answer of waiting) answer();
  expect(answers).toHaveLength(2);
});

it('a connection that is silent is closed', async () => {
  const { socket, clock } = connection(() => {});
  await clock.advance(TCP_IDLE_MS - 1);
  socket.push(questions(1));
  await clock.advance(TCP_IDLE_MS - 1);
  expect(socket.destroyed).toBe(false);
  await clock.advance(1);
  expect(socket.destroyed).toBe(true);
});
