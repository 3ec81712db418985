import { Code, SimClock } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { type SimContainerd, simContainerd } from './containerd.sim.js';

let clock: SimClock;
let containerd: SimContainerd;
let seen: string[];

beforeEach(async () => {
  clock = new SimClock();
  containerd = simContainerd(clock);
  seen = [];
  containerd.events.subscribe({
    onEvent: (event) => seen.push(event.kind),
    onResync: () => seen.push('resync'),
    onDown: () => seen.push('down'),
  });
  await containerd.containers.create({ id: 'one', spec: {}, snapshotKey: 'one' });
});

async function run(): Promise<void> {
  await containerd.tasks.create({ containerId: 'one', rootfs: [] });
  await containerd.tasks.start('one');
}

describe('the simulated containerd', () => {
  it('runs a process to the end of its script', async () => {
    containerd.script('one', { exitAfterMs: 500, exitStatus: 3 });
    await run();
    const waiting = containerd.tasks.wait('one');
    await clock.advance(500);
    expect(await waiting).toMatchObject({ exitStatus: 3 });
    expect((await containerd.tasks.get('one')).status).toBe('stopped');
    expect(await containerd.tasks.delete('one')).toMatchObject({ exitStatus: 3 });
    expect(seen).toEqual(['resync', 'task-exit']);
  });

  it('kills what ignores a signal only with SIGKILL', async () => {
    containerd.script('one', { ignores: [15] });
    await run();
    await containerd.tasks.kill({ containerId: 'one', signal: 15 });
    expect((await containerd.tasks.get('one')).status).toBe('running');
    await expect(containerd.tasks.delete('one')).rejects.toThrow('cannot delete a running process');
    await containerd.tasks.kill({ containerId: 'one', signal: 9 });
    expect((await containerd.tasks.get('one')).exitStatus).toBe(137);
    const again = containerd.tasks.kill({ containerId: 'one', signal: 9 });
    await expect(again).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });

  it('loses events while it is down, but not processes', async () => {
    await run();
    seen.length = 0;
    containerd.goDown();
    await expect(containerd.tasks.list()).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    containerd.exit('one', 1);
    containerd.comeBack();
    expect(seen).toEqual(['down', 'resync']);
    expect(await containerd.tasks.list()).toMatchObject([{ status: 'stopped', exitStatus: 1 }]);
  });

  it('ends execs with their container', async () => {
    await run();
    await containerd.tasks.exec({ containerId: 'one', execId: 'shell', process: {} });
    await containerd.tasks.start('one', 'shell');
    const waiting = containerd.tasks.wait('one', 'shell');
    containerd.exit('one', 0);
    expect((await waiting).exitStatus).toBe(137);
  });
});
