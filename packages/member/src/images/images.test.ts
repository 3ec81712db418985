import { create } from '@bufbuild/protobuf';
import { createNodeRequest } from '@skep/ca';
import { Code, SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimNetwork, type TlsIdentity } from '@skep/rpc';
import {
  LocateImageResponseSchema,
  MayHaveImageResponseSchema,
  NeededImagesResponseSchema,
} from '@skep/wire/skep';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeSwarm } from '../identity/testing/fake-swarm.js';
import type { ImageShelf, ImagesLink, PeerImage, ShelfImage } from './contract.js';
import { READS_MAX } from './limits.js';
import { ShelfDoor } from './shelf-door.js';
import { SwarmImages } from './swarm-images.js';

const IPS = { n1: '10.0.0.1', n2: '10.0.0.2', n3: '10.0.0.3' };
type Name = keyof typeof IPS;
const target = { mediaType: 'index', digest: 'sha256:t', size: 5 };
const signal = new AbortController().signal;

/** Images of one node. */
class FakeShelf implements ImageShelf {
  readonly images = new Map<string, ShelfImage>();
  readonly blobs = new Map<string, string>();
  /** Holds readers up. */
  gate: Promise<void> = Promise.resolve();

  async find(image: string): Promise<ShelfImage | undefined> {
    return this.images.get(image);
  }

  async *read(digest: string, offset: number): AsyncIterable<Uint8Array> {
    await this.gate;
    yield Buffer.from((this.blobs.get(digest) ?? '').slice(offset));
  }
}

describe('images of other nodes', () => {
  let clock: SimClock;
  let random: SimRandom;
  let network: SimNetwork;
  let swarm: FakeSwarm;
  let shelves: Record<Name, FakeShelf>;
  let holders: { nodeId: string; likely: boolean }[];
  let asked: Parameters<ImagesLink['mayHave']>[0][];
  let allowed: boolean;

  beforeEach(() => {
    clock = new SimClock();
    random = new SimRandom(7);
    network = new SimNetwork({ clock, random });
    swarm = new FakeSwarm(clock, random);
    shelves = { n1: new FakeShelf(), n2: new FakeShelf(), n3: new FakeShelf() };
    holders = [];
    asked = [];
    allowed = true;
  });

  const link: ImagesLink = {
    locate: async () =>
      create(LocateImageResponseSchema, {
        holders: holders.map((one) => ({ ...one, address: IPS[one.nodeId as Name] })),
      }),
    mayHave: async (request) => {
      asked.push(request);
      return create(MayHaveImageResponseSchema, { allowed });
    },
    needed: async () => create(NeededImagesResponseSchema, { images: ['a'] }),
  };

  function identityOf(nodeId: string): TlsIdentity {
    const { csrPem, keyPem } = createNodeRequest();
    const { clusterId, root } = swarm;
    const certificatePem = root.signNodeCertificate({ csrPem, nodeId, role: 'worker', clusterId });
    return { rootPem: root.certificatePem, certificatePem, keyPem };
  }

  function node(name: Name, serves = true): SwarmImages {
    const host = network.host(IPS[name]);
    const pem = identityOf(name);
    const identity = { current: () => pem, onChange: () => () => {} };
    const dialer = host.dialer({ identity, clock, random });
    const images = new SwarmImages({ dialer, log: silentLogger });
    images.follow(link);
    const onFatal = (error: Error) => {
      throw error;
    };
    const door = new ShelfDoor({
      ...{ clock, images, log: silentLogger, shelf: shelves[name] },
      host: host.server({ identity, clock, onFatal }),
      clusterId: swarm.clusterId,
      listenAt: (port) => `0.0.0.0:${port}`,
    });
    if (serves) door.open();
    return images;
  }

  function give(name: Name, access?: ShelfImage['access']): void {
    const digests = new Set(['sha256:a', 'sha256:b']);
    shelves[name].images.set('app:1', { target, digests, access });
    shelves[name].blobs.set('sha256:a', `${name} has a`);
    holders.push({ nodeId: name, likely: true });
  }

  async function find(images: SwarmImages, likelyOnly = false): Promise<PeerImage | undefined> {
    return await running(images.find('app:1', { likelyOnly, signal }));
  }

  async function running<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {});
    await clock.advance(5_000);
    return await work;
  }

  async function textOf(image: PeerImage | undefined, offset = 0, digest = 'sha256:a') {
    const read = async () => {
      let text = '';
      for await (const piece of image?.read(digest, offset) ?? []) text += Buffer.from(piece);
      return text;
    };
    return await running(read());
  }

  it('are found with those that have them, and read from an offset', async () => {
    const own = node('n1');
    node('n2');
    node('n3');
    holders = [{ nodeId: 'n3', likely: true }];
    give('n2');
    const image = await find(own);
    expect(image).toMatchObject({ target, nodeIds: ['n2'], restricted: false });
    expect(await textOf(image, 3)).toBe('has a');
    expect(own.traffic.receivedBytes).toBe(5);
    expect(asked).toMatchObject([{ nodeId: 'n1', image: 'app:1', keys: [] }]);
  });

  it('are read from another node the next time, since the last may have sent rubbish', async () => {
    const own = node('n1');
    for (const name of ['n2', 'n3'] as const) {
      node(name);
      give(name);
    }
    const image = await find(own);
    const texts = [];
    for (let turn = 0; turn < 4; turn++) texts.push(await textOf(image));
    expect(new Set(texts).size).toBe(2);
    expect(texts[0]).toBe(texts[2]);
    await expect(textOf(image)).rejects.toMatchObject({ code: Code.DATA_LOSS });
  });

  it('are not asked of nodes that are hardly likely to have them, unless wanted', async () => {
    const own = node('n1');
    node('n2');
    give('n2');
    holders = [{ nodeId: 'n2', likely: false }];
    expect(await find(own, true)).toBeUndefined();
    expect(await find(own)).toBeDefined();
  });

  it('are refused by the node that has them when a manager says no, with the keys they have', async () => {
    const own = node('n1');
    node('n2');
    give('n2', { salt: Buffer.from('s'), keys: [Buffer.from('k')] });
    allowed = false;
    expect(await find(own)).toBeUndefined();
    expect(asked).toMatchObject([{ nodeId: 'n1', keys: [Buffer.from('k')] }]);
  });

  it('are nobody’s but of those whose leave is asked for again after a while', async () => {
    const own = node('n1');
    node('n2');
    give('n2');
    const image = await find(own);
    await textOf(image);
    expect(asked).toHaveLength(1);
    await clock.advance(60_000);
    allowed = false;
    await expect(textOf(image)).rejects.toMatchObject({ code: Code.PERMISSION_DENIED });
  });

  it('are no way to what is no part of them', async () => {
    const own = node('n1');
    node('n2');
    give('n2');
    shelves.n2.blobs.set('sha256:secret', 'secret');
    const image = await find(own);
    await expect(textOf(image, 0, 'sha256:secret')).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });

  it('are sent to a few at a time', async () => {
    const own = node('n1');
    node('n2');
    give('n2');
    const images: (PeerImage | undefined)[] = [];
    while (images.length <= READS_MAX) images.push(await find(own));
    let open = () => {};
    shelves.n2.gate = new Promise((resolve) => {
      open = resolve;
    });
    const reads = images.map((image) => textOf(image));
    const ended = Promise.allSettled(reads);
    await clock.advance(1_000);
    open();
    const ends = await ended;
    const refused = ends.filter(({ status }) => status === 'rejected');
    expect(refused).toMatchObject([{ reason: { code: Code.RESOURCE_EXHAUSTED } }]);
    expect(await textOf(images[0])).toBe('n2 has a');
  });

  it('are not looked for under another node’s name, nor where nobody answers', async () => {
    const own = node('n1');
    node('n2');
    node('n3', false);
    give('n2');
    // What calls itself n3 at n2's address has no certificate of n3.
    holders = [{ nodeId: 'n3', likely: true }];
    expect(await find(own)).toBeUndefined();
    shelves.n3.images.set('app:1', { target, digests: new Set(), access: undefined });
    IPS.n3 = IPS.n2;
    expect(await find(own)).toBeUndefined();
    IPS.n3 = '10.0.0.3';
    expect(clock.pendingTimers).toBe(0);
  });
});

it('are none for a node without a manager, which is no error', async () => {
  const dialer = { dial: () => expect.fail('nobody is to be called') };
  const images = new SwarmImages({ dialer, log: silentLogger });
  expect(await images.find('app:1', { likelyOnly: false, signal })).toBeUndefined();
  await expect(images.needed()).rejects.toMatchObject({ code: Code.UNAVAILABLE });
});
