import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { LocateImageRequestSchema, MayHaveImageRequestSchema } from '@skep/wire/skep';
import { NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { nodeOf, serviceOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Images } from './images.js';
import { HOLDERS_MAX, KEYS_MAX, WRONG_KEYS_KEPT_MS, WRONG_KEYS_MAX } from './limits.js';

const specOf = (image: string, registryAuth = '') => ({
  runtime: { case: 'container' as const, value: { image, pullOptions: { registryAuth } } },
});

function taskAt(nodeId: string, image: string, state = TaskState.RUNNING, more = {}) {
  const id = `${nodeId} ${image} ${state}`;
  return taskOf(id, { nodeId, serviceId: 'web', spec: specOf(image), status: { state }, ...more });
}

async function setUp(nodes: readonly string[] = ['n1', 'n2', 'n3']) {
  const room = new SimRoom();
  await room.put('node', ...nodes.map((id) => nodeOf(id, { status: upAt(`10.0.0.${id}`) })));
  await room.put('service', serviceOf('web', { task: specOf('app:1') }));
  const images = new Images(room.options);
  const locate = (nodeId: string, image: string) =>
    images.locate(nodeId, create(LocateImageRequestSchema, { image }));
  return { room, images, locate };
}

const upAt = (addr: string) => ({ state: NodeStatus_State.READY, addr });

describe('locating an image', () => {
  it('is for nodes with a task of it', async () => {
    const { locate, room } = await setUp();
    await room.put('task', taskAt('n1', 'app:1', TaskState.SHUTDOWN), taskAt('n1', 'other:1'));
    await expect(locate('n1', 'app:1')).rejects.toThrow('no task of this node uses app:1');
  });

  it('names the nodes that have fetched it first, then the others, and not who asks', async () => {
    const { locate, room } = await setUp(['n1', 'n2', 'n3', 'n4']);
    const dead = { serviceId: 'web', desiredState: TaskState.SHUTDOWN };
    await room.put('task', taskAt('n1', 'app:1', TaskState.PREPARING));
    await room.put('task', taskAt('n2', 'app:1', TaskState.PREPARING));
    await room.put('task', taskAt('n4', 'app:1', TaskState.FAILED, dead));
    const { holders } = await locate('n1', 'app:1');
    expect(holders[0]).toMatchObject({ nodeId: 'n4', address: '10.0.0.n4', likely: true });
    expect(
      holders
        .slice(1)
        .map(({ nodeId }) => nodeId)
        .toSorted(),
    ).toEqual(['n2', 'n3']);
    expect(holders.slice(1).some(({ likely }) => likely)).toBe(false);
  });

  it('leaves out Docker Engines and nodes that are down, and names no more than a few', async () => {
    const many = Array.from({ length: 30 }, (_, at) => `m${at}`);
    const { locate, room } = await setUp(['n1', ...many]);
    await room.put('node', nodeOf('docker', { description: { hostname: 'docker' } }));
    await room.put('node', nodeOf('down', { status: { state: NodeStatus_State.DOWN } }));
    await room.put('task', taskAt('n1', 'app:1', TaskState.PREPARING));
    for (const id of ['docker', 'down']) await room.put('task', taskAt(id, 'app:1'));
    const { holders } = await locate('n1', 'app:1');
    expect(holders).toHaveLength(HOLDERS_MAX);
    expect(holders.map(({ nodeId }) => nodeId)).not.toEqual(
      expect.arrayContaining(['docker', 'down']),
    );
    expect(holders.some(({ likely }) => likely)).toBe(false);
  });
});

describe('who may have an image', () => {
  const salt = Buffer.from('salt');
  const key = (text: string) => createHash('sha256').update(salt).update(text).digest();
  const ask = (nodeId: string, more: { salt?: Uint8Array; keys?: Uint8Array[] } = {}) =>
    create(MayHaveImageRequestSchema, { nodeId, image: 'app:1', ...more });

  it('is every node with a task of it, where it was fetched without credentials', async () => {
    const { images, room } = await setUp();
    await room.put('task', taskAt('n1', 'app:1', TaskState.PREPARING), taskAt('n2', 'app:2'));
    expect((await images.mayHave('n3', ask('n1'))).allowed).toBe(true);
    expect((await images.mayHave('n3', ask('n2'))).allowed).toBe(false);
  });

  it.each([
    ['the same service', 'web', '', 'web', true],
    ['another service without credentials', 'other', '', 'web', false],
    ['another service with the same credentials', 'other', 'secret', 'secret', true],
    ['another service with others', 'other', 'guess', 'secret', false],
  ])('is, where it was fetched with some, %s', async (_, serviceId, auth, held, allowed) => {
    const { images, room } = await setUp();
    const own = { serviceId, spec: specOf('app:1', auth) };
    await room.put('task', taskAt('n1', 'app:1', TaskState.PREPARING, own));
    const answer = await images.mayHave('n3', ask('n1', { salt, keys: [key(held)] }));
    expect(answer.allowed).toBe(allowed);
  });

  it('is not to be found out by guesses: a node that asks about many wrong keys is not answered', async () => {
    const { images, room } = await setUp();
    const own = { serviceId: 'web', spec: specOf('app:1', 'secret') };
    await room.put('task', taskAt('n1', 'app:1', TaskState.RUNNING, own));
    const guess = (from: number, more: string[] = []) => {
      const words = Array.from({ length: KEYS_MAX - more.length }, (_, at) => `guess ${from + at}`);
      return ask('n1', { salt, keys: [...words, ...more].map(key) });
    };
    for (let from = 0; from < WRONG_KEYS_MAX; from += KEYS_MAX) {
      expect((await images.mayHave('n2', guess(from))).allowed).toBe(false);
    }
    const next = guess(WRONG_KEYS_MAX, ['secret']);
    await expect(images.mayHave('n2', next)).rejects.toMatchObject({
      code: Code.RESOURCE_EXHAUSTED,
    });
    // What it asked about before costs nothing, and other nodes have their own tries.
    expect((await images.mayHave('n2', guess(0))).allowed).toBe(false);
    expect((await images.mayHave('n3', next)).allowed).toBe(true);
    await room.clock.advance(WRONG_KEYS_KEPT_MS);
    expect((await images.mayHave('n2', next)).allowed).toBe(true);
  });
});

it('needs the images of live tasks, and of services as they are and as they were', async () => {
  const { images, room } = await setUp();
  const before = serviceOf('api', { task: specOf('api:1') }).spec;
  const api = { ...serviceOf('api', { task: specOf('api:2') }), previousSpec: before };
  const gone = { desiredState: TaskState.SHUTDOWN };
  await room.put('service', api);
  await room.put('task', taskAt('n1', 'old:1'), taskAt('n1', 'gone:1', TaskState.FAILED, gone));
  const { images: needed } = await images.needed();
  expect(needed.toSorted()).toEqual(['api:1', 'api:2', 'app:1', 'old:1']);
});
