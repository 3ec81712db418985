import { create } from '@bufbuild/protobuf';
import { SimClock, SimDisk, SimRandom } from '@skep/platform';
import { TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from './limits.js';
import type { TaskLog } from './task-log.js';
import { makeTask } from './testing/objects.js';
import { DIRECTORY, openTaskLog } from './testing/setup.js';

const PATH = `${DIRECTORY}/tasks.log`;
const status = (state: TaskState) => create(TaskStatusSchema, { state });

async function read(disk: SimDisk): Promise<Record<string, TaskState>> {
  const log = await openTaskLog(disk, new SimClock());
  return Object.fromEntries([...log.tasks].map(([id, task]) => [id, task.status.state]));
}

describe('TaskLog', () => {
  it('gives back what was written, without ever being closed', async () => {
    const disk = new SimDisk();
    const log = await openTaskLog(disk, new SimClock());
    for (const id of ['a', 'b', 'c']) log.assigned(makeTask(id));
    log.status('a', status(TaskState.RUNNING));
    log.status('b', status(TaskState.FAILED));
    log.removed('c');
    log.status('c', status(TaskState.FAILED));
    await log.flushed();
    expect(await read(disk)).toEqual({ a: TaskState.RUNNING, b: TaskState.FAILED });
    expect(disk.modeOf(PATH)).toBe(0o600);
  });

  it('writes what one turn brings at once, and syncs none of it', async () => {
    const disk = new SimDisk();
    const clock = new SimClock();
    const log = await openTaskLog(disk, clock);
    const before = disk.operations;
    let endTurn = () => {};
    clock.soon = (end) => {
      endTurn = end;
    };
    for (let index = 0; index < 50; index++) {
      log.assigned(makeTask(`t${index}`));
      await Promise.resolve();
    }
    expect(disk.operations - before).toBe(0);
    endTurn();
    await log.flushed();
    expect(disk.operations - before).toBe(1);
  });

  it('keeps through a power cut what was synced', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new SimDisk();
      const log = await openTaskLog(disk, new SimClock());
      log.assigned(makeTask('a'));
      await log.synced();
      disk.crash({ random: new SimRandom(seed) });
      expect(Object.keys(await read(disk))).toEqual(['a']);
    }
  });

  it('writes once what changes several times before it is written', async () => {
    const sizeAfter = async (change: (log: TaskLog) => void) => {
      const disk = new SimDisk();
      const log = await openTaskLog(disk, new SimClock());
      for (const id of ['a', 'b']) log.assigned(makeTask(id));
      await log.flushed();
      const before = (await disk.readFile(PATH)).length;
      change(log);
      await log.flushed();
      const bytes = (await disk.readFile(PATH)).length - before;
      return { bytes, states: await read(disk) };
    };
    const once = await sizeAfter((log) => {
      log.assigned(makeTask('c', { state: TaskState.RUNNING }));
      log.status('a', status(TaskState.RUNNING));
      log.removed('b');
    });
    const often = await sizeAfter((log) => {
      log.status('b', status(TaskState.READY));
      log.assigned(makeTask('b'));
      log.removed('b');
      for (const state of [TaskState.READY, TaskState.STARTING, TaskState.RUNNING]) {
        log.status('a', status(state));
      }
      log.assigned(makeTask('c'));
      log.status('c', makeTask('c', { state: TaskState.RUNNING }).status);
    });
    expect(often).toEqual(once);
    expect(often.states).toEqual({ a: TaskState.RUNNING, c: TaskState.RUNNING });
  });

  it('writes what changes while it writes', async () => {
    const disk = new SimDisk();
    const log = await openTaskLog(disk, new SimClock());
    for (const id of ['a', 'b']) log.assigned(makeTask(id));
    const before = disk.operations;
    while (disk.operations === before) await Promise.resolve(); // until the write is under way
    log.status('a', status(TaskState.FAILED));
    log.removed('b');
    log.assigned(makeTask('b', { state: TaskState.READY }));
    await log.flushed();
    expect(await read(disk)).toEqual({ a: TaskState.FAILED, b: TaskState.READY });
  });

  it('cuts off a torn or damaged end and goes on after it', async () => {
    const disk = new SimDisk();
    const log = await openTaskLog(disk, new SimClock());
    log.assigned(makeTask('a'));
    await log.flushed();
    const whole = (await disk.readFile(PATH)).length;
    log.assigned(makeTask('b'));
    await log.flushed();
    disk.flipBits(PATH, whole + 20);
    expect(await read(disk)).toEqual({ a: TaskState.ASSIGNED });
    const again = await openTaskLog(disk, new SimClock());
    again.assigned(makeTask('c'));
    await again.flushed();
    expect(Object.keys(await read(disk))).toEqual(['a', 'c']);
  });

  it('reads some prefix of what was written after any power cut', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new SimDisk();
      const log = await openTaskLog(disk, new SimClock());
      for (const id of ['a', 'b', 'c']) {
        log.assigned(makeTask(id));
        await log.flushed();
      }
      disk.crash({ random: new SimRandom(seed) });
      expect(['', 'a', 'a,b', 'a,b,c']).toContain(Object.keys(await read(disk)).join());
    }
  });

  it('survives a full disk and writes everything when there is space again', async () => {
    const disk = new SimDisk();
    const clock = new SimClock();
    const log = await openTaskLog(disk, clock);
    disk.injectFault({ code: 'ENOSPC', operation: 'write', times: 3 });
    log.assigned(makeTask('a'));
    await log.flushed();
    log.status('a', status(TaskState.RUNNING));
    await log.flushed();
    await clock.advance(10_000);
    expect(await read(disk)).toEqual({ a: TaskState.RUNNING });
    expect(clock.pendingTimers).toBe(0);
  });

  it('stays small however often statuses change', async () => {
    const disk = new SimDisk();
    const limits = { ...DEFAULT_LIMITS, taskLogCompactBytes: 10_000 };
    const log = await openTaskLog(disk, new SimClock(), limits);
    for (let round = 0; round < 2_000; round++) {
      log.assigned(makeTask('a'));
      log.status('a', status(TaskState.RUNNING));
      await log.flushed();
    }
    expect((await disk.readFile(PATH)).length).toBeLessThan(11_000);
    expect(await read(disk)).toEqual({ a: TaskState.RUNNING });
  });
});
