import { SimClock, settle, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { DEFAULT_EXECUTOR_LIMITS } from '../limits.js';
import { FakeImages, FakePeers } from '../testing/fake-images.js';
import { ImagePuller } from './puller.js';
import { taggedImage } from './reference.js';

const nginx = { image: 'nginx', encodedAuth: '', serviceId: 's1' };

function setUp() {
  const clock = new SimClock();
  const images = new FakeImages();
  const limits = DEFAULT_EXECUTOR_LIMITS;
  const peers = new FakePeers();
  const puller = new ImagePuller({ images, peers, clock, logger: silentLogger, limits });
  const ensure = (image: string, encodedAuth = '', serviceId = 's1') =>
    puller.ensure({ image, encodedAuth, serviceId }, new AbortController().signal);
  return { clock, ensure, images, peers, puller };
}

describe('ImagePuller', () => {
  it('pulls each time, though the image is here, with the credentials it is given', async () => {
    const { ensure, images } = setUp();
    const auth = Buffer.from('{"username":"me"}').toString('base64url');
    await ensure('nginx', auth);
    await ensure('nginx', auth);
    expect(images.pulls).toMatchObject([
      { reference: 'nginx:latest', auth: { username: 'me' } },
      { reference: 'nginx:latest' },
    ]);
  });

  it('leaves the registry alone for ids, and for digests that are here', async () => {
    const { ensure, images } = setUp();
    await ensure(`sha256:${'a'.repeat(64)}`);
    await ensure(`nginx:1@sha256:${'b'.repeat(64)}`);
    await ensure(`nginx:1@sha256:${'b'.repeat(64)}`);
    expect(images.pulls).toHaveLength(1);
  });

  it('pulls once for all who want an image at the same time', async () => {
    const { ensure, images } = setUp();
    await Promise.all(Array.from({ length: 50 }, () => ensure('nginx')));
    expect(images.pulls).toHaveLength(1);
  });

  it('does not ask a dead registry again for a while when the image is here', async () => {
    const { clock, ensure, images } = setUp();
    images.here.add('nginx:latest');
    images.registry = () => images.hang();
    const all = Promise.all(Array.from({ length: 50 }, () => ensure('nginx')));
    await clock.advance(1_000);
    await all;
    await ensure('nginx'); // at once
    expect(images.pulls).toHaveLength(1);
    expect(images.pulls[0]?.signal.aborted).toBe(true);
    await clock.advance(30_000);
    images.registry = (reference) => images.serve(reference);
    await ensure('nginx');
    expect(images.pulls).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits for a slow registry when the image is not here', async () => {
    const { clock, ensure, images } = setUp();
    images.registry = () => images.hang();
    let done = false;
    void ensure('nginx').then(() => {
      done = true;
    });
    await clock.advance(60_000);
    expect(done).toBe(false);
  });

  it('asks again at once when the image is not here and could not be pulled', async () => {
    const { ensure, images } = setUp();
    images.registry = () => images.refuse('unauthorized');
    await ensure('nginx');
    await ensure('nginx');
    expect(images.pulls).toHaveLength(2);
  });

  it('breaks off a pull when nobody waits for it any more, and not before', async () => {
    const { images, puller } = setUp();
    images.registry = () => images.hang();
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [first, second].map(({ signal }) => puller.ensure(nginx, signal));
    const ended = Promise.allSettled(waits);
    await settle();
    first.abort(new Error('cancelled'));
    await settle();
    expect(images.pulls[0]?.signal.aborted).toBe(false);
    second.abort(new Error('cancelled'));
    await ended;
    expect(images.pulls[0]?.signal.aborted).toBe(true);
    images.registry = (reference) => images.serve(reference);
    await puller.ensure(nginx, new AbortController().signal);
    expect(images.pulls).toHaveLength(2);
  });
});

describe('an image that other nodes have', () => {
  const pinned = `app:1@sha256:${'b'.repeat(64)}`;

  it('comes from those where it runs, when it is named by digest', async () => {
    const { ensure, images, peers } = setUp();
    peers.have.set(pinned, { likely: true });
    expect(await ensure(pinned, 'auth')).toBeUndefined();
    expect(images.pulls).toMatchObject([{ from: 'node n2', task: { keys: ['s1', 'auth'] } }]);
    expect(peers.open).toBe(0);
  });

  it('comes from the registry when they are not sure to have it, or do not give it whole', async () => {
    const { ensure, images, peers } = setUp();
    await ensure(pinned);
    expect(peers.asked).toEqual([{ image: pinned, likelyOnly: true }]);
    images.here.clear();
    peers.have.set(pinned, { likely: true });
    images.peers = () => images.refuse('damaged');
    await ensure(pinned);
    expect(images.pulls.map(({ from }) => from)).toEqual(['registry', 'node n2', 'registry']);
    expect(peers.open).toBe(0);
  });

  it('comes from the registry first when it is named by tag', async () => {
    const { ensure, images, peers } = setUp();
    peers.have.set('app:1', { likely: true });
    await ensure('app:1');
    expect(images.pulls.map(({ from }) => from)).toEqual(['registry']);
  });

  it('comes from any of them when the registry does not give it, which is told', async () => {
    const { ensure, images, peers } = setUp();
    images.registry = () => images.refuse('connection refused');
    peers.have.set('app:1', { likely: false });
    expect(await ensure('app:1')).toBe('image from node n2: connection refused');
    expect(images.here.has('app:1')).toBe(true);
    expect(peers.open).toBe(0);
  });

  it('comes from them when the registry is silent, and from the registry when it answers late', async () => {
    const { clock, ensure, images, peers } = setUp();
    images.registry = () => images.hang();
    peers.have.set('app:1', { likely: true });
    const remark = ensure('app:1');
    await clock.advance(2_000);
    expect(await remark).toBe('image from node n2: its registry does not answer');
    expect(images.pulls[0]?.signal.aborted).toBe(true);
    peers.have.clear();
    const waiting = ensure('app:2');
    await clock.advance(2_000);
    expect(peers.asked.at(-1)).toEqual({ image: 'app:2', likelyOnly: false });
    expect(images.pulls.at(-1)?.signal.aborted).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    void waiting;
  });

  it('is not asked for where an older one is here', async () => {
    const { ensure, images, peers } = setUp();
    images.here.add('app:1');
    images.registry = () => images.refuse('connection refused');
    await ensure('app:1');
    expect(peers.asked).toEqual([]);
  });

  it('is fetched for each service by its own right', async () => {
    const { ensure, images } = setUp();
    await Promise.all([ensure('app:1', '', 's1'), ensure('app:1', '', 's2')]);
    expect(images.pulls.map(({ task }) => task?.keys)).toEqual([['s1'], ['s2']]);
  });
});

describe('taggedImage', () => {
  it.each([
    ['nginx', 'nginx:latest'],
    ['docker.io/library/nginx:1', 'nginx:1'],
    ['docker.io/me/app', 'me/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['localhost:5000/app@sha256:12', 'localhost:5000/app@sha256:12'],
  ])('makes %s %s', (reference, expected) => {
    expect(taggedImage(reference)).toBe(expected);
  });
});
