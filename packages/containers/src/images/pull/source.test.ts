import { createHash } from 'node:crypto';
import { Code, RpcError, SimClock, SimRandom, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimContainerd, simContainerd } from '../../containerd/containerd.sim.js';
import type { ImageSource } from '../../contract/engine.js';
import { FakeRegistry } from '../../registry/fake-registry.sim.js';
import { HttpTransport } from '../../registry/transport.js';
import { Images } from '../engine.js';
import { layerData, publishImage } from './published.sim.js';

/** Waits take no time, and the time of day is the test's. */
class HastyClock extends SimClock {
  override async sleep(_delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
  }
}

const AUTH = { username: 'me', password: 'secret' };
const DAY_MS = 24 * 60 * 60_000;

/** One node's images. */
class Node {
  readonly clock = new HastyClock();
  readonly containerd: SimContainerd = simContainerd(new SimClock());
  readonly users = new Set<string>();
  readonly images: Images;

  constructor(transport: HttpTransport, seed: number) {
    this.images = new Images({
      ...{ containerd: this.containerd, clock: this.clock, transport, logger: silentLogger },
      random: new SimRandom(seed),
      usersOf: (id) => (this.users.has(id) ? [{ id: 'c1', running: true }] : []),
    });
  }

  async pull(reference: string, options: Parameters<Images['pull']>[1] = {}): Promise<void> {
    for await (const { error } of this.images.pull(reference, options)) expect(error).toBeFalsy();
  }

  /** This node as a source for others. `calls`: parts it was asked for. */
  async source(reference: string): Promise<ImageSource & { calls: [string, number][] }> {
    const found = await this.images.find(reference);
    if (!found) throw new Error(`${reference} is not here`);
    const calls: [string, number][] = [];
    const read = (digest: string, offset: number) => {
      calls.push([digest, offset]);
      return this.images.read(digest, offset);
    };
    const restricted = found.access !== undefined;
    return { name: 'node a', target: found.target, restricted, read, calls };
  }

  async unused(): Promise<string[]> {
    return (await this.images.unusedTaskImages()).map(({ id }) => id);
  }
}

let registry: FakeRegistry;
let transport: HttpTransport;
let a: Node;
let b: Node;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  transport = new HttpTransport();
  a = new Node(transport, 1);
  b = new Node(transport, 2);
});
afterEach(async () => {
  for (const { images } of [a, b]) images.close();
  await transport.close();
  await registry.stop();
});

const publish = (seed = 1) => publishImage(registry, 'app', 'v1', [layerData(seed), layerData(2)]);
const app = () => `${registry.host}/app:v1`;

describe('an image from another node', () => {
  it('is the same as from the registry, which nobody asks', async () => {
    const { digest, id } = publish();
    await a.pull(app());
    registry.requests.length = 0;
    await b.pull(app(), { source: await a.source(app()) });
    expect(registry.requests).toEqual([]);
    for (const name of [app(), `${registry.host}/app@${digest}`]) {
      expect((await b.images.resolve(name)).id).toBe(id);
    }
    expect(b.images.traffic).toEqual({ registry: 0, peers: a.images.traffic.registry });
    // And so on to a third.
    expect((await b.images.find(app()))?.target.digest).toBe(digest);
  });

  it('is found by its digest, whatever tag it came with, and not while a part is missing', async () => {
    const { digest, layers } = publish();
    await a.pull(app());
    expect(await a.images.find(`${app()}@${digest}`)).toMatchObject({ target: { digest } });
    expect(await a.images.find('elsewhere/app:v1')).toBeUndefined();
    expect(await a.images.find('no such:::name')).toBeUndefined();
    await a.containerd.content.delete(layers[0] as string);
    expect(await a.images.find(app())).toBeUndefined();
  });

  it('is whole once a task pulled it, though its layers were here unpacked already', async () => {
    publish();
    await a.pull(app());
    const other = `${registry.host}/other:v1`;
    const { id, layers } = publishImage(registry, 'other', 'v1', [layerData(1), layerData(2)], 1);
    await a.pull(other, { task: { keys: ['s1'] } });
    registry.requests.length = 0;
    await b.pull(other, { source: await a.source(other) });
    expect(registry.requests).toEqual([]);
    expect((await b.images.resolve(other)).id).toBe(id);
    expect(await b.containerd.content.info(layers[0] as string)).toBeDefined();
  });

  it('starts a task though the layers for other nodes cannot be had', async () => {
    publish();
    await a.pull(app());
    const other = `${registry.host}/other:v1`;
    const { id, layers } = publishImage(registry, 'other', 'v1', [layerData(1), layerData(2)], 1);
    registry.blobs.delete(layers[0] as string);
    await a.pull(other, { task: { keys: ['s1'] } });
    expect((await a.images.resolve(other)).id).toBe(id);
    expect(await a.images.find(other)).toBeUndefined();
  });

  it('is asked for again where a part came damaged', async () => {
    const { layers, id } = publish();
    await a.pull(app());
    const source = await a.source(app());
    const whole = source.read;
    let spoilt = 0;
    source.read = async function* (digest, offset) {
      for await (const piece of whole(digest, offset)) {
        const isSpoilt = digest === layers[0] && spoilt++ === 0;
        yield isSpoilt ? Buffer.alloc(piece.length) : piece;
      }
    };
    await b.pull(app(), { source });
    expect((await b.images.resolve(app())).id).toBe(id);
    expect(source.calls.filter(([digest]) => digest === layers[0]).length).toBe(2);
  });

  it('is refused where a part is never right, or its manifest is another', async () => {
    const { layers } = publish();
    await a.pull(app());
    const source = await a.source(app());
    const { read } = source;
    source.read = async function* (digest, offset) {
      for await (const piece of read(digest, offset)) {
        yield digest === layers[1] ? Buffer.alloc(piece.length) : piece;
      }
    };
    await expect(b.pull(app(), { source })).rejects.toThrow();
    source.read = async function* () {
      yield Buffer.from('{}');
    };
    await expect(b.pull(app(), { source })).rejects.toThrow('manifest verification failed');
    await expect(b.images.resolve(app())).rejects.toThrow('No such image');
  });

  it('is not asked for again where that is in vain', async () => {
    const { layers } = publish();
    await a.pull(app());
    const source = await a.source(app());
    const { read } = source;
    source.read = async function* (digest, offset) {
      const pieces = read(digest, offset);
      if (digest === layers[1]) throw new RpcError(Code.DATA_LOSS, 'all is lost');
      yield* pieces;
    };
    await expect(b.pull(app(), { source })).rejects.toThrow('node a: all is lost');
    expect(source.calls.filter(([digest]) => digest === layers[1])).toHaveLength(1);
  });

  it('goes on where it broke off', async () => {
    const { layers } = publish();
    await a.pull(app());
    const source = await a.source(app());
    const { read } = source;
    let broken = false;
    source.read = async function* (digest, offset) {
      for await (const piece of read(digest, offset)) {
        if (digest !== layers[0] || broken) {
          yield piece;
          continue;
        }
        broken = true;
        yield piece.subarray(0, 1_000);
        throw new Error('node a is gone');
      }
    };
    await b.pull(app(), { source });
    expect(source.calls).toContainEqual([layers[0], 1_000]);
  });
});

it('is pinned to the digest it has at its registry, where it has none', async () => {
  const { digest } = publish();
  const pinned = `${app()}@${digest}`;
  expect(await a.images.pinned(app())).toBe(pinned);
  registry.requests.length = 0;
  for (const text of [pinned, digest, digest.slice('sha256:'.length)]) {
    expect(await a.images.pinned(text)).toBe(text);
  }
  expect(registry.requests).toEqual([]);
  await expect(a.images.pinned(`${registry.host}/gone`)).rejects.toThrow();
});

describe('who may have an image', () => {
  const keysOf = async (node: Node) => (await node.images.find(app()))?.access;
  const salted = (salt: Uint8Array, key: string) =>
    createHash('sha256').update(salt).update(key).digest();

  it('is everybody where no credentials were shown', async () => {
    publish();
    await a.pull(app(), { task: { keys: ['s1'] } });
    expect(await keysOf(a)).toBeUndefined();
  });

  it('is, where they were, who holds a key of a task that pulled it', async () => {
    publish();
    await a.pull(app(), { auth: AUTH, task: { keys: ['s1'] } });
    await a.pull(app(), { auth: AUTH, task: { keys: ['s2'] } });
    await a.pull(app(), { auth: AUTH, task: { keys: ['s1'] } });
    const { keys, salt } = (await keysOf(a))!;
    expect(keys).toEqual([salted(salt, 's2'), salted(salt, 's1')]);
  });

  it('goes on with the image from node to node, and with its further names', async () => {
    publish();
    await a.pull(app(), { auth: AUTH });
    await b.pull(app(), { source: await a.source(app()), task: { keys: ['s1'] } });
    expect((await keysOf(b))?.keys).toHaveLength(1);
    await b.images.tag(app(), 'mine', 'v1');
    expect((await b.images.find('mine:v1'))?.access?.keys).toHaveLength(1);
  });

  it('is everybody from when on it is pulled without', async () => {
    publish();
    await a.pull(app(), { auth: AUTH });
    await a.images.tag(app(), 'mine', 'v1');
    await a.pull(app());
    expect(await keysOf(a)).toBeUndefined();
    expect((await a.images.find('mine:v1'))?.access).toBeUndefined();
  });
});

describe('an image that may be collected', () => {
  const task = { keys: ['s1'] };

  it('is one that only tasks pulled and no container is made from', async () => {
    const { id } = publish();
    await a.pull(app(), { task });
    expect(await a.unused()).toEqual([id]);
    a.users.add(id);
    expect(await a.unused()).toEqual([]);
    expect(await a.images.collect(id)).toBeUndefined();
    a.users.delete(id);
    expect(await a.images.collect(id)).toBeGreaterThan(0);
    await expect(a.images.resolve(app())).rejects.toThrow('No such image');
    a.containerd.collectGarbage();
    expect(await a.containerd.content.list()).toEqual([]);
  });

  it.each([
    ['pulls it', () => a.pull(app())],
    ['tags it', () => a.images.tag(app(), 'mine', 'v1')],
  ])('is none any more when a user %s', async (_, touch) => {
    const { id } = publish();
    await a.pull(app(), { task });
    await touch();
    expect(await a.unused()).toEqual([]);
    expect(await a.images.collect(id)).toBeUndefined();
  });

  it('is used anew by each task that asks for it, pulled or not', async () => {
    publish();
    await a.pull(app(), { task });
    const [before] = await a.images.unusedTaskImages();
    await a.clock.advance(DAY_MS);
    await a.images.usedByTask(app());
    const [after] = await a.images.unusedTaskImages();
    expect((after?.lastUseMs ?? 0) - (before?.lastUseMs ?? 0)).toBe(DAY_MS);
    await a.pull(app());
    await a.images.usedByTask(app());
    expect(await a.unused()).toEqual([]);
  });

  it('is none that a user had before', async () => {
    publish();
    await a.pull(app());
    await a.pull(app(), { task });
    expect(await a.unused()).toEqual([]);
  });

  it('is still one when its tag has moved on, with the time it was asked for last', async () => {
    const old = publish(1);
    await a.pull(app(), { task });
    await a.clock.advance(DAY_MS);
    const young = publish(3);
    await a.pull(app(), { task });
    const found = await a.images.unusedTaskImages();
    const useMs = (id: string) => found.find((image) => image.id === id)?.lastUseMs ?? 0;
    expect(useMs(young.id) - useMs(old.id)).toBe(DAY_MS);
  });
});
