import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PARALLEL_STARTS_MAX } from '../limits.js';
import { FakeContainerd } from './containerd.fake.js';
import type { Engine } from './engine.js';
import { openSimEngine } from './engine.sim.js';

let root: string;
let containerd: FakeContainerd;
let engine: Engine;
let server: Server;
/** Mounts that the plugin does not answer until it is told to. */
let waiting: ServerResponse[];
let unmounts: number;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'skep-engine-volumes-'));
  waiting = [];
  unmounts = 0;
  const sockets = join(root, 'plugins');
  mkdirSync(sockets);
  server = createServer((request, response) => {
    const method = request.url?.slice(1);
    if (method === 'VolumeDriver.Mount') return void waiting.push(response);
    if (method === 'VolumeDriver.Unmount') unmounts++;
    const volume = { Volume: { Name: 'v', Mountpoint: root } };
    const answer = { Implements: ['VolumeDriver'], ...volume };
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(join(sockets, 'slow.sock'), resolve));
  containerd = new FakeContainerd();
  const pluginDirectories = { sockets, specs: [] };
  const clock = new SimClock();
  const onEvent = () => {};
  engine = await openSimEngine({ root, clock, containerd, pluginDirectories, onEvent });
});

afterEach(async () => {
  for (const task of containerd.tasks.values()) task.files.length = 0;
  await engine.close();
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

async function create(Binds: string[]): Promise<string> {
  const HostConfig = { Binds, VolumeDriver: 'slow' };
  return (await engine.create(undefined, { Image: 'busybox', HostConfig })).Id;
}

describe('a volume whose server does not answer', () => {
  it('holds up its own containers and no others', async () => {
    const held: string[] = [];
    for (let count = 0; count < PARALLEL_STARTS_MAX; count++) {
      held.push(await create(['v1:/v:nocopy']));
    }
    const starts = held.map((id) => engine.start(id));
    const other = await create([]);
    await engine.start(other);
    expect((await engine.inspect(other)).State.Running).toBe(true);
    await expect.poll(() => waiting.length).toBe(PARALLEL_STARTS_MAX);
    for (const response of waiting) response.end(JSON.stringify({ Mountpoint: root }));
    await Promise.all(starts);
    expect((await engine.inspect(held[0]!)).State.Running).toBe(true);
    containerd.exit(held[0]!, 0);
    await expect.poll(() => unmounts).toBe(1);
  });
});
