import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, RpcError, SimClock, settle } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CreateRequest, MountRequest } from '../contract/config.js';
import type { SandboxRequest } from '../contract/networking.js';
import { FakeContainerd } from './containerd.fake.js';
import type { Engine } from './engine.js';
import { openSimEngine } from './engine.sim.js';

let root: string;
let clock: SimClock;
let containerd: FakeContainerd;
let engine: Engine;
let events: string[];
const sandboxes = new Set<string>();

async function openEngine(): Promise<Engine> {
  return openSimEngine({
    root,
    clock,
    containerd,
    networking: {
      async setUp({ containerId }: SandboxRequest) {
        sandboxes.add(containerId);
        return { sandboxId: 's', netnsPath: '/netns', endpoints: {}, ports: {}, nameservers: [] };
      },
      tearDown: async (id) => void sandboxes.delete(id),
      restore: async () => {},
      connect: () => Promise.reject(new Error('no such network')),
      disconnect: () => Promise.reject(new Error('no such network')),
      rename: () => Promise.reject(new Error('no such network')),
      counters: async () => ({}),
    },
    onEvent: ({ Action }) => events.push(Action),
  });
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'skep-engine-unit-'));
  clock = new SimClock();
  containerd = new FakeContainerd();
  events = [];
  sandboxes.clear();
  engine = await openEngine();
});

afterEach(async () => {
  for (const task of containerd.tasks.values()) task.files.length = 0;
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

async function started(request: CreateRequest = {}, name?: string): Promise<string> {
  const { Id } = await engine.create(name, { Image: 'busybox', ...request });
  await engine.start(Id);
  return Id;
}

const stateOf = async (id: string) => (await engine.inspect(id)).State;

describe('a container that cannot start', () => {
  it('says so to whoever starts it, and nothing of it to whoever waits for its removal', async () => {
    const device = { PathOnHost: '/dev/nope', PathInContainer: '', CgroupPermissions: '' };
    const HostConfig = { Devices: [device] };
    const { Id } = await engine.create(undefined, { Image: 'busybox', HostConfig });
    const text =
      'error gathering device information while adding custom device "/dev/nope": ' +
      'no such file or directory';
    const removed = engine.wait(Id, 'removed');
    await expect(engine.start(Id)).rejects.toThrow(text);
    expect((await stateOf(Id)).Error).toBe(text);
    await engine.remove(Id, { force: false, volumes: true });
    expect(await removed).toEqual({ StatusCode: 128 });
  });
});

describe('names', () => {
  it('are unique, and found by id, prefix and name', async () => {
    const { Id } = await engine.create('web', { Image: 'busybox' });
    await expect(engine.create('web', { Image: 'busybox' })).rejects.toThrow(
      `Conflict. The container name "/web" is already in use by container "${Id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
    for (const reference of [Id, Id.slice(0, 12), 'web', '/web']) {
      expect((await engine.inspect(reference)).Id).toBe(Id);
    }
    await expect(engine.inspect('nope')).rejects.toThrow('No such container: nope');
    await engine.rename('web', 'api');
    await expect(engine.inspect('web')).rejects.toThrow('No such container: web');
    await engine.create('web', { Image: 'busybox' });
    await expect(engine.rename('api', 'web')).rejects.toThrow('Conflict.');
    expect((await engine.inspect('api')).Name).toBe('/api');
  });

  it('are free again after a creation that failed, and nothing is left', async () => {
    const bad = { Image: 'busybox', HostConfig: { Memory: 1 } };
    await expect(engine.create('web', bad)).rejects.toThrow('6MB');
    await engine.create('web', { Image: 'busybox' });
    expect(containerd.layers.size).toBe(1);
    expect(readdirSync(join(root, 'data/containers'))).toHaveLength(1);
  });
});

describe('a run', () => {
  it('goes from created to exited, keeps the output, and gives everything back', async () => {
    const id = await started();
    expect(await stateOf(id)).toMatchObject({ Status: 'running', Pid: 1000 });
    const exit = engine.wait(id, 'not-running');
    containerd.print(id, 'hello\n');
    containerd.exit(id, 3, { atMs: clock.now() });
    expect(await exit).toEqual({ StatusCode: 3 });
    expect(await stateOf(id)).toMatchObject({ Status: 'exited', Running: false, Pid: 0 });
    expect(sandboxes.size + containerd.tasks.size + containerd.containers.size).toBe(0);
    const lines: string[] = [];
    const options = { stdout: true, stderr: true, follow: true };
    for await (const entry of engine.logs(id, options, new AbortController().signal)) {
      lines.push(Buffer.from(entry.line).toString());
    }
    expect(lines).toEqual(['hello\n']);
    await engine.remove(id, { force: false, volumes: true });
    expect(events).toEqual(['create', 'start', 'die', 'destroy']);
    expect(existsSync(join(root, 'exec/containers', id))).toBe(false);
  });

  it('that cannot start leaves a created container with the reason', async () => {
    const { Id } = await engine.create(undefined, { Image: 'busybox', Cmd: ['nope'] });
    containerd.startError = new Error(
      'OCI runtime create failed: exec: "nope": no such file or directory',
    );
    await expect(engine.start(Id)).rejects.toThrow(
      /^failed to create task for container: OCI.*: unknown$/,
    );
    expect(await stateOf(Id)).toMatchObject({ Status: 'created', ExitCode: 127 });
    expect(sandboxes.size + containerd.tasks.size + containerd.containers.size).toBe(0);
    await engine.start(Id);
    expect((await stateOf(Id)).Running).toBe(true);
  });

  it('takes an exit that comes while it starts', async () => {
    const { Id } = await engine.create(undefined, { Image: 'busybox' });
    const start = engine.start(Id);
    const exit = engine.wait(Id, 'next-exit');
    await start;
    containerd.exit(Id, 0);
    expect((await exit).StatusCode).toBe(0);
  });
});

describe('stopping', () => {
  it('signals first and kills when the time is over', async () => {
    const id = await started();
    const { signals } = containerd.tasks.get(id) as { signals: number[] };
    containerd.exitOnTerm = undefined;
    const stop = engine.stop(id, { timeoutSeconds: 5 });
    await clock.advance(4999);
    expect(signals).toEqual([15]);
    await clock.advance(1);
    expect(await stop).toBe(true);
    expect(signals).toEqual([15, 9]);
    expect(await engine.stop(id)).toBe(false);
    expect(events).toEqual(['create', 'start', 'kill', 'kill', 'die', 'stop']);
  });

  it('takes the end of a shim in the midst of a signal for the end of its process', async () => {
    const id = await started();
    containerd.exitOnTerm = undefined;
    containerd.killError = new RpcError(Code.UNKNOWN, 'ttrpc: closed: unknown');
    const stop = engine.stop(id, { timeoutSeconds: 0 });
    await clock.advance(0);
    expect(await stop).toBe(true);
    expect((await stateOf(id)).Status).toBe('exited');
  });

  it('refuses to remove what runs, unless forced', async () => {
    const id = await started({}, 'web');
    await expect(engine.remove(id, { force: false, volumes: false })).rejects.toThrow(
      'cannot remove container "/web": container is running: stop the container before removing or force remove',
    );
    await engine.remove(id, { force: true, volumes: false });
    expect(await engine.list({ all: true, size: false, filters: {} })).toEqual([]);
  });
});

describe('restart policy', () => {
  const HostConfig = { RestartPolicy: { Name: 'on-failure' as const, MaximumRetryCount: 2 } };

  it('backs off, counts, and gives up', async () => {
    const id = await started({ HostConfig });
    for (const [delayMs, count] of [
      [100, 1],
      [200, 2],
    ] as const) {
      const exit = engine.wait(id, 'next-exit');
      containerd.exit(id, 1, { atMs: clock.now() });
      await exit;
      expect((await stateOf(id)).Status).toBe('restarting');
      await clock.advance(delayMs - 1);
      expect((await stateOf(id)).Status).toBe('restarting');
      await clock.advance(1);
      await settle();
      expect(await engine.inspect(id)).toMatchObject({ RestartCount: count });
      expect((await stateOf(id)).Status).toBe('running');
    }
    const exit = engine.wait(id, 'next-exit');
    containerd.exit(id, 1, { atMs: clock.now() });
    await exit;
    expect((await stateOf(id)).Status).toBe('exited');
  });

  it('does not undo a stop', async () => {
    const always = { RestartPolicy: { Name: 'always' as const, MaximumRetryCount: 0 } };
    const id = await started({ HostConfig: always });
    await engine.stop(id);
    await clock.advance(60_000);
    expect((await stateOf(id)).Status).toBe('exited');
  });
});

describe('listing', () => {
  async function names(filters: Record<string, string[]>, all = true): Promise<string[]> {
    const rows = await engine.list({ all, size: false, filters });
    return rows.map((row) => row.Names[0] ?? '');
  }

  it('shows commands with their words apart', async () => {
    await engine.create('talk', { Image: 'sample', Cmd: ['sh', '-c', 'echo hello'] });
    const [row] = await engine.list({ all: true, size: false, filters: {} });
    expect(row?.Command).toBe("sh -c 'echo hello'");
  });

  it('tells sizes also while one of the containers is just losing its layer', async () => {
    const { Id } = await engine.create('leaving', { Image: 'sample' });
    await engine.create('staying', { Image: 'sample' });
    containerd.layers.delete(Id);
    const rows = await engine.list({ all: true, size: true, filters: {} });
    const sizes = rows.map(({ Names, SizeRw, SizeRootFs }) => [Names[0], SizeRw, SizeRootFs]);
    expect(Object.fromEntries(sizes.map(([name, ...size]) => [name, size]))).toEqual({
      '/leaving': [0, 0],
      '/staying': [10, 10],
    });
  });

  it('selects by every kind of filter', async () => {
    const done = await started({ Labels: { tier: 'db' } }, 'done');
    const exit = engine.wait(done, 'next-exit');
    containerd.exit(done, 5, { atMs: clock.now() });
    await exit;
    await clock.advance(1000);
    await started({}, 'web-1');
    await clock.advance(1000);
    const task = { endpoints: [], files: [] };
    await engine.create('web-2', { Image: 'other', HostConfig: { Binds: ['vol:/v'] } }, task);
    expect(await names({}, false)).toEqual(['/web-1']);
    expect(await names({})).toEqual(['/web-2', '/web-1', '/done']);
    expect(await names({ status: ['exited', 'created'] }, false)).toEqual(['/web-2', '/done']);
    expect(await names({ exited: ['5'] }, false)).toEqual(['/done']);
    expect(await names({ name: ['^/web'] })).toEqual(['/web-2', '/web-1']);
    expect(await names({ label: ['tier=db'] })).toEqual(['/done']);
    expect(await names({ 'is-task': ['true'] })).toEqual(['/web-2']);
    expect(await names({ volume: ['vol'] })).toEqual(['/web-2']);
    expect(await names({ id: [done.slice(0, 9)] })).toEqual(['/done']);
    expect(await names({ before: ['web-1'] })).toEqual(['/done']);
    expect(await names({ since: ['web-1'] })).toEqual(['/web-2']);
    await expect(names({ nope: ['1'] })).rejects.toThrow("invalid filter 'nope'");
    await expect(names({ status: ['nope'] })).rejects.toThrow("invalid filter 'status=nope'");
  });

  it('prunes what is stopped and matches', async () => {
    await engine.create('old', { Image: 'busybox', Labels: { keep: '' } });
    await engine.create('new', { Image: 'busybox' });
    await started({}, 'running');
    const report = await engine.prune({ 'label!': ['keep'] });
    expect(report).toMatchObject({ ContainersDeleted: [expect.any(String)], SpaceReclaimed: 10 });
    expect((await names({})).sort()).toEqual(['/old', '/running']);
  });
});

describe('the next daemon', () => {
  async function reopen(): Promise<void> {
    await engine.close();
    events = [];
    engine = await openEngine();
  }

  it('takes over what runs and notes what ended', async () => {
    const lives = await started();
    const ended = await started();
    const lost = await started();
    await engine.close();
    containerd.exit(ended, 4, { silent: true });
    containerd.exit(lost, 0, { silent: true });
    containerd.tasks.delete(lost);
    events = [];
    engine = await openEngine();
    expect(await stateOf(lives)).toMatchObject({ Running: true, Pid: 1000 });
    expect(await stateOf(ended)).toMatchObject({ Status: 'exited', ExitCode: 4 });
    expect(await stateOf(lost)).toMatchObject({ Status: 'exited', ExitCode: 255 });
    expect(events).toEqual(['die', 'die']);
    containerd.print(lives, 'still here\n');
    const exit = engine.wait(lives, 'next-exit');
    containerd.exit(lives, 0);
    expect((await exit).StatusCode).toBe(0);
  });

  it('removes the layers over other images with their container, also one that was never made', async () => {
    const Mounts: MountRequest[] = [{ Type: 'image', Source: 'web', Target: '/web' }];
    const { Id } = await engine.create(undefined, { Image: 'busybox', HostConfig: { Mounts } });
    expect(containerd.layers.size).toBe(2);
    await engine.close();
    engine = await openEngine();
    expect(containerd.layers.size).toBe(2);
    await engine.remove(Id, { force: false, volumes: true });
    expect(containerd.layers.size).toBe(0);
    Mounts.push({ Type: 'bind', Source: '/not/there', Target: '/b' });
    const failed = engine.create(undefined, { Image: 'busybox', HostConfig: { Mounts } });
    await expect(failed).rejects.toThrow('bind source path does not exist');
    expect(containerd.layers.size).toBe(0);
  });

  it('clears what was half made', async () => {
    const { Id } = await engine.create(undefined, { Image: 'busybox' });
    await engine.close();
    containerd.containers.set('orphan', {});
    containerd.layers.add('orphan');
    containerd.tasks.set(Id, { pid: 5, status: 'created', exitStatus: 0, signals: [], files: [] });
    containerd.containers.set(Id, {});
    engine = await openEngine();
    expect([...containerd.containers.keys()]).toEqual([]);
    expect([...containerd.layers]).toEqual([Id]);
    expect(containerd.tasks.size).toBe(0);
    expect((await stateOf(Id)).Status).toBe('created');
  });

  it('starts what is to run always, and leaves what a user stopped', async () => {
    const policy = (Name: 'always' | 'unless-stopped') => ({
      HostConfig: { RestartPolicy: { Name, MaximumRetryCount: 0 } },
    });
    const always = await started(policy('always'));
    const unless = await started(policy('unless-stopped'));
    await engine.stop(always);
    await engine.stop(unless);
    await reopen();
    await settle();
    expect((await stateOf(always)).Status).toBe('running');
    expect((await stateOf(unless)).Status).toBe('exited');
  });

  it('notices what it missed while containerd was away', async () => {
    const id = await started();
    const exit = engine.wait(id, 'next-exit');
    containerd.exit(id, 6, { silent: true });
    containerd.resync();
    expect((await exit).StatusCode).toBe(6);
  });
});
