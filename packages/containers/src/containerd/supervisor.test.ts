import { SimClock, SimDisk, silentLogger } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DetachedProcesses } from './child.js';
import { containerdPaths } from './config-toml.js';
import { ContainerdSupervisor } from './supervisor.js';

/** Processes in memory: they start at once, answer when told to, and end when killed. */
class SimDetachedProcesses implements DetachedProcesses {
  readonly living = new Map<number, { words: string[]; onExit: () => void }>();
  readonly spawnedMs: number[] = [];
  answering = true;
  startsBroken = false;
  #nextPid = 100;

  constructor(readonly clock: SimClock) {}

  async spawn(command: string, args: readonly string[], options: { onExit: () => void }) {
    const pid = this.#nextPid++;
    this.spawnedMs.push(this.clock.monotonic());
    if (!this.startsBroken) {
      this.living.set(pid, { words: [command, ...args], onExit: options.onExit });
    }
    return { pid };
  }

  commandLine(pid: number) {
    return this.living.get(pid)?.words;
  }

  kill(pid: number) {
    const process = this.living.get(pid);
    this.living.delete(pid);
    process?.onExit();
  }

  limitLog() {}
}

const paths = containerdPaths('/data', '/run/skep');
let clock: SimClock;
let disk: SimDisk;
let processes: SimDetachedProcesses;

function supervisor(): ContainerdSupervisor {
  return new ContainerdSupervisor({
    paths,
    disk,
    processes,
    clock,
    logger: silentLogger,
    probe: async () => processes.answering && processes.living.size > 0,
  });
}

beforeEach(() => {
  clock = new SimClock();
  disk = new SimDisk();
  processes = new SimDetachedProcesses(clock);
});

describe('the supervisor of containerd', () => {
  it('starts one and records it', async () => {
    const one = supervisor();
    await one.start();
    expect(one.running).toBe(true);
    expect([...processes.living.keys()]).toEqual([100]);
    expect(Buffer.from(await disk.readFile(paths.pidFile)).toString()).toBe('100\n');
  });

  it('takes over a living one instead of starting a second', async () => {
    const before = supervisor();
    await before.start();
    before.detach();
    const after = supervisor();
    await after.start();
    expect(after.pid).toBe(100);
    expect(processes.spawnedMs).toHaveLength(1);
  });

  it('notices the death of one it took over', async () => {
    const before = supervisor();
    await before.start();
    before.detach();
    const after = supervisor();
    await after.start();
    processes.living.delete(100);
    await clock.advance(1_000);
    expect(after.pid).toBe(101);
    expect(after.running).toBe(true);
  });

  it('does not take over a stranger with the recorded number', async () => {
    await disk.makeDirectory(paths.state);
    await disk.writeFileAtomic(paths.pidFile, Buffer.from('77\n'));
    processes.living.set(77, { words: ['sleep', '1'], onExit() {} });
    const one = supervisor();
    await one.start();
    expect(one.pid).toBe(100);
    expect(processes.living.has(77)).toBe(true);
  });

  it('replaces one that runs with another configuration', async () => {
    const before = supervisor();
    await before.start();
    before.detach();
    await disk.writeFileAtomic(paths.config, Buffer.from('version = 2\n'));
    const after = supervisor();
    await after.start();
    expect([...processes.living.keys()]).toEqual([101]);
  });

  it('starts a dying one again, waiting longer each time, and says so', async () => {
    const one = supervisor();
    await one.start();
    const states: boolean[] = [];
    one.onState((running) => states.push(running));
    for (let death = 0; death < 3; death++) {
      processes.kill(100 + death);
      await clock.advance(1_000);
    }
    expect(states).toEqual([false, true, false, true, false, true]);
    const deathsMs = [0, 1_000, 2_000];
    const waitsMs = processes.spawnedMs.slice(1).map((ms, index) => ms - (deathsMs[index] ?? 0));
    expect(waitsMs).toEqual([100, 200, 400]);
  });

  it('forgets the backoff after a long life', async () => {
    const one = supervisor();
    await one.start();
    processes.kill(100);
    await clock.advance(40_000);
    processes.kill(101);
    await clock.advance(100);
    expect(one.pid).toBe(102);
  });

  it('fails to start when the program ends at once, leaving nothing', async () => {
    processes.startsBroken = true;
    await expect(supervisor().start()).rejects.toThrow('containerd does not start, see /run/skep');
    expect(processes.living.size).toBe(0);
  });

  it('stops it on a clean shutdown and does not start it again', async () => {
    const one = supervisor();
    await one.start();
    await one.stop();
    await clock.advance(60_000);
    expect(processes.living.size).toBe(0);
    expect(processes.spawnedMs).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});
