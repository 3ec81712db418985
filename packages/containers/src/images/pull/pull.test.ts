import { gzipSync } from 'node:zlib';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimContainerd, simContainerd } from '../../containerd/containerd.sim.js';
import type { ProgressMessage } from '../../contract/engine.js';
import { FakeRegistry } from '../../registry/fake-registry.sim.js';
import { HttpTransport } from '../../registry/transport.js';
import { Images } from '../engine.js';
import { layerData, publishImage } from './published.sim.js';

/** Waits take no time: what is tried again is tried at once. */
class HastyClock extends SimClock {
  override async sleep(_delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
  }
}

let registry: FakeRegistry;
let transport: HttpTransport;
let containerd: SimContainerd;
let images: Images;

function newImages(): Images {
  const clock = new HastyClock();
  const random = new SimRandom(1);
  return new Images({ containerd, clock, random, transport, logger: silentLogger });
}

beforeEach(async () => {
  registry = await FakeRegistry.start();
  transport = new HttpTransport();
  containerd = simContainerd(new SimClock());
  images = newImages();
});
afterEach(async () => {
  images.close();
  await transport.close();
  await registry.stop();
});

const publish = (tag: string, plain: Buffer[]) => publishImage(registry, 'app', tag, plain);

async function pull(tag = 'v1', signal?: AbortSignal): Promise<ProgressMessage[]> {
  const messages: ProgressMessage[] = [];
  const options = signal ? { signal } : {};
  for await (const message of images.pull(`${registry.host}/app:${tag}`, options)) {
    messages.push(message);
  }
  return messages;
}

/** Breaks the connection after so many bytes of a blob, the first `times` times. */
function breakAfter(digest: string, bytes: number, times: number): void {
  let left = times;
  registry.intercepts.push((request, response) => {
    if (!request.path.endsWith(digest) || left === 0) return false;
    left--;
    const data = registry.blobs.get(digest) as Buffer;
    const start = Number(/(\d+)-$/.exec(request.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': data.length - start,
      ...(start > 0 && { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` }),
    });
    response.write(data.subarray(start, start + bytes), () => response.socket?.destroy());
    return true;
  });
}

const blobRequests = (digest: string) =>
  registry.requests.filter(({ path }) => path.endsWith(digest)).map(({ range }) => range);

function expectNothingHalfMade(): void {
  expect(containerd.world.images.size).toBe(0);
  expect(containerd.world.leases.size).toBe(0);
}

describe('a download that breaks', () => {
  it('is taken up where it broke', async () => {
    const { layers, id } = publish('v1', [layerData(1)]);
    breakAfter(layers[0] as string, 70_000, 2);
    await pull();
    const [first, second, third, ...more] = blobRequests(layers[0] as string);
    expect([first, more]).toEqual([undefined, []]);
    for (const range of [second, third]) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
    expect((await images.resolve(`${registry.host}/app:v1`)).id).toBe(id);
  });

  it('is completed also where the registry knows no ranges', async () => {
    const { layers, id } = publish('v1', [layerData(2)]);
    breakAfter(layers[0] as string, 70_000, 1);
    registry.intercepts.push((request, response) => {
      if (request.range === undefined) return false;
      response.end(registry.blobs.get(layers[0] as string));
      return true;
    });
    await pull();
    expect((await images.resolve(`${registry.host}/app:v1`)).id).toBe(id);
  });

  it('fails in the end, and the next pull goes on from there', async () => {
    const { layers } = publish('v1', [layerData(3)]);
    breakAfter(layers[0] as string, 10_000, 5);
    await expect(pull()).rejects.toMatchObject({ kind: 'unreachable' });
    expectNothingHalfMade();
    expect(blobRequests(layers[0] as string)).toHaveLength(5);
    await pull();
    expect(blobRequests(layers[0] as string).at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
  });
});

describe('a registry that sends the wrong bytes', () => {
  it('is asked anew from the start, and refused in the end', async () => {
    const { layers } = publish('v1', [layerData(4)]);
    const digest = layers[0] as string;
    const wrong = Buffer.from(registry.blobs.get(digest) as Buffer);
    wrong[1_000] = (wrong[1_000] as number) ^ 0xff;
    registry.blobs.set(digest, wrong);
    await expect(pull()).rejects.toThrow(/unexpected commit digest/);
    expect(blobRequests(digest)).toEqual(Array(5).fill(undefined));
    expectNothingHalfMade();
  });

  it('is refused when it sends more than it said', async () => {
    const { layers } = publish('v1', [layerData(5)]);
    const digest = layers[0] as string;
    const whole = registry.blobs.get(digest) as Buffer;
    registry.blobs.set(digest, Buffer.concat([whole, Buffer.from('and more')]));
    await expect(pull()).rejects.toThrow('is longer than its manifest says');
    expectNothingHalfMade();
  });

  it('is refused when a manifest is not what its digest says', async () => {
    const { digest } = publish('v1', [layerData(6)]);
    const { mediaType } = registry.manifests.get('app:v1') as { mediaType: string };
    registry.manifests.set(`app@${digest}`, { mediaType, data: Buffer.from('{}') });
    const reading = (async () => {
      for await (const _ of images.pull(`${registry.host}/app@${digest}`, {}));
    })();
    await expect(reading).rejects.toThrow(`manifest verification failed for digest ${digest}`);
    expectNothingHalfMade();
  });

  it('is refused when a layer unpacks to something else', async () => {
    const { layers } = publish('v1', [layerData(7)]);
    const other = gzipSync(layerData(8));
    const manifest = registry.manifests.get('app:v1') as { mediaType: string; data: Buffer };
    const { digest, size } = registry.addBlob(other);
    const document = JSON.parse(manifest.data.toString('utf8'));
    document.layers[0] = { ...document.layers[0], digest, size };
    registry.addManifest('app', 'v1', manifest.mediaType, document);
    await expect(pull()).rejects.toThrow(/wrong diff id calculated on extraction/);
    expect(layers).not.toContain(digest);
    expectNothingHalfMade();
    expect(containerd.world.snapshots.size).toBe(0);
  });
});

describe('many at once', () => {
  it('share one download of the same image', async () => {
    const { layers } = publish('v1', [layerData(9)]);
    await Promise.all([pull(), pull(), pull()]);
    expect(blobRequests(layers[0] as string)).toHaveLength(1);
  });

  it('share the layers of different images', async () => {
    const common = layerData(10);
    const { layers } = publish('v1', [common, layerData(11)]);
    publish('v2', [common, layerData(12)]);
    await Promise.all([pull('v1'), pull('v2')]);
    expect(blobRequests(layers[0] as string)).toHaveLength(1);
    expect(containerd.world.snapshots.size).toBe(3);
  });

  it('are three downloads at a time', async () => {
    const { layers } = publish(
      'v1',
      [20, 21, 22, 23, 24].map((seed) => layerData(seed)),
    );
    let now = 0;
    let most = 0;
    registry.intercepts.push((request, response) => {
      if (!layers.some((digest) => request.path.endsWith(digest))) return false;
      most = Math.max(most, ++now);
      response.on('close', () => now--);
      return false;
    });
    await pull();
    expect(most).toBeLessThanOrEqual(3);
  });

  it('go on when one of them leaves', async () => {
    const { layers, id } = publish('v1', [layerData(13)]);
    const leaving = new AbortController();
    registry.intercepts.push((request) => {
      if (request.path.endsWith(layers[0] as string)) leaving.abort(new Error('gone'));
      return false;
    });
    const [left, stayed] = await Promise.allSettled([pull('v1', leaving.signal), pull('v1')]);
    expect(left.status).toBe('rejected');
    expect(stayed.status).toBe('fulfilled');
    expect((await images.resolve(`${registry.host}/app:v1`)).id).toBe(id);
  });

  it('stop when the last of them leaves', async () => {
    const { layers } = publish('v1', [layerData(14)]);
    const leaving = new AbortController();
    const closed = new Promise<void>((resolve) => {
      registry.intercepts.push((request, response) => {
        if (!request.path.endsWith(layers[0] as string)) return false;
        response.on('close', resolve);
        response.write('x');
        leaving.abort(new Error('gone'));
        return true;
      });
    });
    await expect(pull('v1', leaving.signal)).rejects.toThrow('gone');
    await closed;
    expect(containerd.world.images.size).toBe(0);
  });
});

describe('a daemon that was killed in the middle', () => {
  it('finds nothing that breaks the next pull', async () => {
    const { layers, id } = publish('v1', [layerData(15), layerData(16)]);
    const half = (registry.blobs.get(layers[1] as string) as Buffer).subarray(0, 50_000);
    const labels = { 'skep.lease': 'images' };
    await containerd.leases.create('of-the-killed', { expireMs: 1_000, labels });
    const ref = `layer-${layers[1]}`;
    const writer = await containerd.content.openWriter({ ref, expected: layers[1] as string });
    await writer.write(half);
    writer.close();
    await images.start();
    expect(containerd.world.leases.size).toBe(0);
    await pull();
    expect(blobRequests(layers[1] as string)).toEqual(['bytes=50000-']);
    expect((await images.resolve(`${registry.host}/app:v1`)).id).toBe(id);
  });
});

describe('an image that is here', () => {
  it('is fetched again when its snapshot is gone', async () => {
    const { id } = publish('v1', [layerData(17)]);
    await pull();
    containerd.world.snapshots.clear();
    await pull();
    const { chainId } = await images.resolve(id);
    expect(containerd.world.snapshots.get(chainId)?.kind).toBe('committed');
  });

  it('costs one question when it is up to date', async () => {
    publish('v1', [layerData(18)]);
    await pull();
    registry.requests.length = 0;
    const messages = await pull();
    expect(registry.asked).toEqual(['HEAD /v2/app/manifests/v1']);
    expect(messages.at(-1)?.status).toBe(`Status: Image is up to date for ${registry.host}/app:v1`);
  });

  it('is known to a daemon that starts anew', async () => {
    const { id } = publish('v1', [layerData(19)]);
    await pull();
    images.close();
    images = newImages();
    expect((await images.resolve(`${registry.host}/app:v1`)).id).toBe(id);
  });
});
