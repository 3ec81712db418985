import { createHash } from 'node:crypto';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { pack } from 'tar-stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { type SimContainerd, simContainerd } from '../../containerd/containerd.sim.js';
import { Images } from '../engine.js';

const LAYER = Buffer.from('the one layer');

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** An archive as `docker save` writes it, of an image with one layer. */
async function savedImage(name: string): Promise<Buffer> {
  const rootfs = { type: 'layers', diff_ids: [`sha256:${sha256(LAYER)}`] };
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  const manifest = [
    { Config: `${sha256(config)}.json`, RepoTags: [name], Layers: ['layer/layer.tar'] },
  ];
  const tar = pack();
  tar.entry({ name: 'layer/layer.tar' }, LAYER);
  tar.entry({ name: `${sha256(config)}.json` }, config);
  tar.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

let containerd: SimContainerd;
let images: Images;
let archive: Buffer;

beforeEach(async () => {
  containerd = simContainerd(new SimClock());
  const random = new SimRandom(1);
  images = new Images({ containerd, clock: new SimClock(), random, logger: silentLogger });
  archive = await savedImage('app:1');
});

async function load(): Promise<void> {
  async function* stream() {
    yield archive;
  }
  for await (const _ of images.load(stream(), { quiet: true }));
}

/** Counts the calls of some work, and collects garbage once, just before the given one. */
async function collectingBefore(call: number, work: () => Promise<void>): Promise<number> {
  let calls = 0;
  containerd.world.beforeCall = () => {
    calls++;
    if (calls === call) containerd.collectGarbage();
  };
  await work();
  containerd.world.beforeCall = undefined;
  return calls;
}

async function expectWhole(): Promise<void> {
  containerd.collectGarbage();
  const { chainId } = await images.resolve('app:1');
  expect((await containerd.snapshots.stat(chainId)).kind).toBe('committed');
}

describe('loading what is there already', () => {
  it('survives a collection of garbage at any moment', async () => {
    // The archive's own manifest.json belongs to no image: after a load only its lease kept it.
    await load();
    const calls = await collectingBefore(0, load);
    expect(calls).toBeGreaterThan(10);
    for (let call = 1; call <= calls; call++) {
      await load();
      await collectingBefore(call, load);
      await expectWhole();
    }
  });

  it('survives it also when the image has just been removed', async () => {
    const calls = await collectingBefore(0, load);
    for (let call = 1; call <= calls; call++) {
      for (const { name } of await containerd.images.list()) await containerd.images.delete(name);
      await collectingBefore(call, load);
      await expectWhole();
    }
  });
});
