import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock } from '@skep/platform';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RealKernel } from '../linux/kernel.js';
import { type OutputBrake, ProcessStreams } from './process-streams.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skep-streams-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Turns of the event loop in which a reader that is not held back would have read. */
const IDLE_TURNS = 50;

it('a process is held back while its log has no room, and goes on where it was', async () => {
  const got: string[] = [];
  let onChunk = () => {};
  let release = () => {};
  const brake: OutputBrake & { holdsBack: boolean } = {
    holdsBack: true,
    onRoom: (listener) => {
      release = listener;
    },
  };
  const streams = new ProcessStreams({
    directory,
    stdin: false,
    terminal: true,
    kernel: new RealKernel(),
    clock: new SimClock(),
    brake,
    onChunk: (_stream, chunk) => {
      got.push(Buffer.from(chunk).toString());
      onChunk();
    },
    closeRemoteInput: async () => {},
  });
  streams.open();
  const pipe = openSync(streams.io.stdout, 'w');
  const first = new Promise<void>((resolve) => {
    onChunk = resolve;
  });
  writeSync(pipe, 'one');
  await first;
  writeSync(pipe, 'two');
  for (let turn = 0; turn < IDLE_TURNS; turn++) await new Promise(setImmediate);
  expect(got).toEqual(['one']);
  const second = new Promise<void>((resolve) => {
    onChunk = resolve;
  });
  brake.holdsBack = false;
  release();
  await second;
  expect(got).toEqual(['one', 'two']);
  closeSync(pipe);
  streams.discard();
});
