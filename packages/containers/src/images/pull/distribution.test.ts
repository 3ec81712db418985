import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { simContainerd } from '../../containerd/containerd.sim.js';
import { FakeRegistry, refuse } from '../../registry/fake-registry.sim.js';
import { HttpTransport } from '../../registry/transport.js';
import { Images } from '../engine.js';
import { layerData, publishImage } from './published.sim.js';

let registry: FakeRegistry;
let transport: HttpTransport;
let images: Images;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  transport = new HttpTransport();
  const clock = new SimClock();
  images = new Images({
    ...{ containerd: simContainerd(clock), clock, transport, logger: silentLogger },
    random: new SimRandom(1),
  });
});
afterEach(async () => {
  images.close();
  await transport.close();
  await registry.stop();
});

const publish = (seed: number) => publishImage(registry, 'app', 'v1', [layerData(seed, 1_000)]);
const digestNow = async () => {
  registry.requests.length = 0;
  return (await images.distribution(`${registry.host}/app:v1`)).Descriptor.digest;
};

it('asks no more than whether a name still means the same once it is known', async () => {
  const { digest, id } = publish(1);
  expect(await digestNow()).toBe(digest);
  expect(registry.asked).toEqual(['GET /v2/app/manifests/v1', `GET /v2/app/blobs/${id}`]);
  expect(await digestNow()).toBe(digest);
  expect(registry.asked).toEqual(['HEAD /v2/app/manifests/v1']);
});

it('asks again over the connection that there is', async () => {
  publish(1);
  await digestNow();
  const { connections } = registry;
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setImmediate(resolve)); // the empty answer is read to its end
    await digestNow();
  }
  expect(registry.connections).toBe(connections);
});

it('sees that a name means something else now', async () => {
  publish(1);
  await digestNow();
  const { digest } = publish(2);
  expect(await digestNow()).toBe(digest);
});

it('tells nobody what the registry tells him no more', async () => {
  publish(1);
  await digestNow();
  registry.intercepts.push(({ path }, response) => {
    if (path === '/v2/') return false;
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
    return true;
  });
  await expect(digestNow()).rejects.toThrow('authentication required');
});
