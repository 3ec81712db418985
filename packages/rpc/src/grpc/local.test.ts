import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, RealClock } from '@skep/platform';
import * as sk from '@skep/wire/swarmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Channel } from '../contract.js';
import { NotSentError } from '../errors.js';
import { ConnectionEvents, failureOf, heartbeat } from '../testing/calls.js';
import { encodeFrame } from './frame.js';
import { dialLocal } from './local.js';
import { statusTrailers } from './status.js';

let directory: string;
let path: string;
let channel: Channel;
let server: http2.Http2Server | undefined;
let seen: http2.IncomingHttpHeaders[];
const sessions: http2.ServerHttp2Session[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skep-local-'));
  path = join(directory, 'some.sock');
  channel = dialLocal(path, { clock: new RealClock() });
  seen = [];
});

afterEach(async () => {
  channel.close();
  await stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A program that answers each call as a dispatcher answers heartbeats. */
async function serve(): Promise<void> {
  const answer = create(sk.HeartbeatResponseSchema, { period: { seconds: 5n } });
  const started = http2.createServer();
  started.on('session', (session) => sessions.push(session));
  started.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(statusTrailers()));
    stream.end(encodeFrame(toBinary(sk.HeartbeatResponseSchema, answer)));
  });
  await new Promise<void>((resolve) => started.listen(path, resolve));
  server = started;
}

async function stop(): Promise<void> {
  const former = server;
  server = undefined;
  if (!former) return;
  const isClosed = new Promise((resolve) => former.close(resolve));
  for (const session of sessions.splice(0)) session.destroy();
  await isClosed;
}

describe('a channel to a program of this machine', () => {
  it('carries calls, with metadata of theirs', async () => {
    await serve();
    const { period } = await heartbeat(channel, { metadata: { 'some-key': 'some value' } });
    expect(period?.seconds).toBe(5n);
    expect(seen[0]).toMatchObject({
      ':scheme': 'http',
      ':authority': 'localhost:80',
      ':path': '/docker.swarmkit.v1.Dispatcher/Heartbeat',
      'some-key': 'some value',
    });
    await heartbeat(channel);
    expect(seen[1]?.['some-key']).toBeUndefined();
  });

  it('says in Go’s words that nobody is there', async () => {
    const error = await failureOf(heartbeat(channel));
    expect(error).toBeInstanceOf(NotSentError);
    expect(error.code).toBe(Code.UNAVAILABLE);
    expect(error.message).toBe(
      'connection error: desc = "transport: Error while dialing: ' +
        `dial unix ${path}: connect: no such file or directory"`,
    );
  });

  it('finds the program again after it was started anew', async () => {
    await serve();
    const events = new ConnectionEvents(channel);
    await heartbeat(channel);
    await stop();
    await events.count(2);
    await serve();
    await heartbeat(channel);
    expect(events.seen).toEqual([true, false, true]);
    expect(seen).toHaveLength(2);
  });
});
