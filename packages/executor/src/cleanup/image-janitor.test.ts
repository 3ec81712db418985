import type { TaskImage } from '@skep/containers';
import { Code, RpcError, SimClock, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { ImageJanitor } from './image-janitor.js';
import { DEFAULT_IMAGE_GC, type ImageGcPolicy } from './policy.js';

const HOUR_MS = 60 * 60_000;

/** A node of 100 bytes of disk, whose images have ten each. */
function setUp(policy: Partial<ImageGcPolicy> = {}) {
  const clock = new SimClock();
  const disk = { used: 90 };
  const unused: TaskImage[] = [];
  const removed: string[] = [];
  const swarm = { needed: async (): Promise<string[]> => [] };
  const janitor = new ImageJanitor({
    images: {
      unusedTaskImages: async () => [...unused],
      resolve: async (reference: string) => {
        if (!/^i\d$/.test(reference)) throw new RpcError(Code.NOT_FOUND, 'No such image');
        return { id: reference } as never;
      },
      collect: async (id: string) => {
        removed.push(id);
        disk.used -= 10;
        unused.splice(
          unused.findIndex((image) => image.id === id),
          1,
        );
        return 10;
      },
    },
    needed: () => swarm.needed(),
    space: async () => ({ total: 100, free: 100 - disk.used }),
    policy: { ...DEFAULT_IMAGE_GC, ...policy },
    clock,
    logger: silentLogger,
  });
  const add = (id: string, agoMs: number) =>
    void unused.push({ id, lastUseMs: clock.now() - agoMs });
  return { add, clock, disk, janitor, removed, swarm, unused };
}

describe('images that nobody needs', () => {
  it('stay while the disk has room', async () => {
    const { add, disk, janitor, removed } = setUp();
    add('i1', HOUR_MS);
    disk.used = 85;
    await janitor.look();
    expect(removed).toEqual([]);
  });

  it('go above the high mark until the low one is reached, least recently used first', async () => {
    const { add, disk, janitor, removed } = setUp();
    for (const [at, hours] of [2, 4, 1, 3].entries()) add(`i${at}`, hours * HOUR_MS);
    disk.used = 95;
    await janitor.look();
    expect(removed).toEqual(['i1', 'i3']);
    expect(disk.used).toBe(75);
  });

  it('go when they are old, whether or not there is room', async () => {
    const { add, disk, janitor, removed } = setUp({ maxAgeMs: 2 * HOUR_MS });
    disk.used = 10;
    add('i1', HOUR_MS);
    add('i2', 3 * HOUR_MS);
    await janitor.look();
    expect(removed).toEqual(['i2']);
  });

  it('are none that a service or a task has, or had before its last update', async () => {
    const { add, janitor, removed, swarm } = setUp({ maxAgeMs: 1 });
    add('i1', HOUR_MS);
    add('i2', HOUR_MS);
    swarm.needed = async () => ['gone:1', 'i1'];
    await janitor.look();
    expect(removed).toEqual(['i2']);
  });

  it('stay as long as no manager says which those are', async () => {
    const { add, janitor, removed, swarm } = setUp();
    add('i1', HOUR_MS);
    swarm.needed = () => Promise.reject(new RpcError(Code.UNAVAILABLE, 'no manager'));
    await janitor.look();
    expect(removed).toEqual([]);
  });

  it('are looked for every few minutes, or as often as their age needs, until it is stopped', async () => {
    const { add, clock, janitor, removed } = setUp();
    add('i1', HOUR_MS);
    janitor.start();
    await clock.advance(5 * 60_000 - 1);
    expect(removed).toEqual([]);
    await clock.advance(1);
    expect(removed).toEqual(['i1']);
    await janitor.stop();
    expect(clock.pendingTimers).toBe(0);
    const quick = setUp({ maxAgeMs: 8_000 });
    quick.disk.used = 10;
    quick.janitor.start();
    quick.add('i1', 0);
    await quick.clock.advance(8_000);
    expect(quick.removed).toEqual([]);
    await quick.clock.advance(2_000);
    expect(quick.removed).toEqual(['i1']);
    await quick.janitor.stop();
  });
});
