import { toBinary } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { StreamRaftMessageRequestSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { assemble, SnapshotAssembler, toChunks } from './chunks.js';
import { blankMessage } from './codec.js';

const snapshot = { index: 9n, term: 2n, voters: [1n, 2n] };
const message = blankMessage({ type: MessageType.MsgSnap, to: 2n, from: 1n, term: 3n, snapshot });
const envelope = (length: number) => ({
  message,
  snapshotData: Uint8Array.from({ length }, (_, n) => n % 251),
});

async function* stream<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

describe('messages in parts', () => {
  it.each([0, 1, 999, 1000, 5000])('a snapshot of %i bytes comes whole', async (length) => {
    const parts = [...toChunks(envelope(length), 512)];
    for (const part of parts) {
      const size = toBinary(StreamRaftMessageRequestSchema, part).length;
      expect(size).toBeLessThanOrEqual(512);
    }
    expect(parts.length > 1).toBe(length > 512);
    expect(await assemble(stream(parts))).toEqual(envelope(length));
  });

  it('other messages are one request, and a stream without any is no message', async () => {
    const heartbeat = {
      message: blankMessage({ type: MessageType.MsgHeartbeat, to: 2n, from: 1n }),
      snapshotData: undefined,
    };
    const parts = [...toChunks(heartbeat)];
    expect(parts).toHaveLength(1);
    expect(await assemble(stream(parts))).toEqual(heartbeat);
    expect(await assemble(stream([]))).toBeUndefined();
  });

  it('refuses parts of different messages, and more than it may hold', () => {
    const assembler = new SnapshotAssembler();
    const [first] = toChunks(envelope(10));
    const append = blankMessage({ type: MessageType.MsgApp, to: 2n, from: 1n });
    const [other] = toChunks({ message: append, snapshotData: undefined });
    assembler.add(first!);
    const invalid = expect.objectContaining({ code: Code.INVALID_ARGUMENT });
    expect(() => assembler.add(other!)).toThrow(invalid);
    const small = new SnapshotAssembler(15);
    small.add(first!);
    const exhausted = expect.objectContaining({ code: Code.RESOURCE_EXHAUSTED });
    expect(() => small.add(first!)).toThrow(exhausted);
  });
});
