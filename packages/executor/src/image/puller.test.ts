import { SimClock, settle, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { DEFAULT_EXECUTOR_LIMITS } from '../limits.js';
import { FakeImages } from '../testing/fake-images.js';
import { ImagePuller } from './puller.js';
import { taggedImage } from './reference.js';

function setUp() {
  const clock = new SimClock();
  const images = new FakeImages();
  const limits = DEFAULT_EXECUTOR_LIMITS;
  const puller = new ImagePuller({ images, clock, logger: silentLogger, limits });
  const ensure = (image: string, auth?: string) =>
    puller.ensure(image, auth, new AbortController().signal);
  return { clock, ensure, images, puller };
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
    const waits = [first, second].map(({ signal }) => puller.ensure('nginx', undefined, signal));
    const ended = Promise.allSettled(waits);
    await settle();
    first.abort(new Error('cancelled'));
    await settle();
    expect(images.pulls[0]?.signal.aborted).toBe(false);
    second.abort(new Error('cancelled'));
    await ended;
    expect(images.pulls[0]?.signal.aborted).toBe(true);
    images.registry = (reference) => images.serve(reference);
    await puller.ensure('nginx', undefined, new AbortController().signal);
    expect(images.pulls).toHaveLength(2);
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
