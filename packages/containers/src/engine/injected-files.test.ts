import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeContainerd } from './containerd.fake.js';
import type { Engine } from './engine.js';
import { openSimEngine } from './engine.sim.js';

let root: string;
let containerd: FakeContainerd;
let engine: Engine;
let id: string;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'skep-engine-injected-'));
  containerd = new FakeContainerd();
  engine = await openSimEngine({ root, clock: new SimClock(), containerd, onEvent: () => {} });
  const data = Buffer.from('hidden');
  const file = { path: '/run/secrets/s', data, uid: 0, gid: 0, mode: 0o400 };
  const task = { endpoints: [], files: [file] };
  id = (await engine.create('task', { Image: 'busybox' }, task)).Id;
});

afterEach(async () => {
  for (const task of containerd.tasks.values()) task.files.length = 0;
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

/** What stands in any file below the directory of running containers. */
function inMemory(): string[] {
  const entries = readdirSync(join(root, 'exec'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.parentPath.endsWith('files'))
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'));
}

describe('secrets of a task', () => {
  it('are gone when it has ended, though its container stays', async () => {
    await engine.start(id);
    expect(inMemory()).toEqual(['hidden']);
    containerd.exit(id, 0);
    await expect.poll(async () => (await engine.inspect(id)).State.Status).toBe('exited');
    expect(inMemory()).toEqual([]);
    await expect(engine.start(id)).rejects.toThrow(
      'the task of this container has ended, and its secrets and configs are gone with it',
    );
  });
});
