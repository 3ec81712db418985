import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { loadImage } from './support/docker-engine.ts';
import { buildImage, type RegistryImage, registryImage } from './support/image.ts';
import { TestMachines } from './support/machines.ts';
import { TestRegistry, USER } from './support/registry.ts';
import { IMAGE } from './support/sample.ts';

/** Images on three nodes whose registries come and go. */

const NODES = ['node1', 'node2', 'node3'];
const IDLE = ['sleep', '1000000'];

let cluster: TestCluster;
let open: TestRegistry;
let locked: TestRegistry;
let spoilt: RegistryImage;

beforeAll(async () => {
  const machines = new TestMachines();
  cluster = new TestCluster(machines, 'node1');
  [open, locked] = await Promise.all([
    TestRegistry.start(),
    TestRegistry.start('htpasswd'),
    machines.create(NODES, ['--engine-opt', 'insecure-registry=0.0.0.0/0']),
  ]);
  const image = (name: string) => buildImage({ name, files: { '/name': name } });
  for (const name of ['pinned', 'tagged']) {
    await open.push(registryImage(await image(name), 'docker'), name, '1');
  }
  spoilt = registryImage(await image('spoilt'), 'oci');
  await open.push(spoilt, 'spoilt', '1');
  await locked.push(registryImage(await image('private'), 'docker'), 'private', '1');
  const pid = await machines.pid('node1');
  const ip = await machines.address('node1');
  await Promise.all([open.moveTo(pid, `${ip}:5000`), locked.moveTo(pid, `${ip}:5001`)]);
  await cluster.init();
  for (const name of NODES.slice(1)) await cluster.join(name, 'worker');
});

afterAll(async () => {
  await Promise.all([open?.dispose(), locked?.dispose(), cluster?.cleanUp()]);
});

/** Starts a service on node1 alone, from a registry that works. */
async function runOnOne(service: string, image: string, ...flags: string[]): Promise<void> {
  const place = ['--constraint', 'node.hostname==node1', '--replicas-max-per-node', '1'];
  const life = ['--restart-delay', '1s', '--stop-grace-period', '100ms'];
  const rest = ['--name', service, ...place, ...life, ...flags, image, ...IDLE];
  await cluster.docker('service', 'create', '-d', '-q', ...rest);
  await cluster.running(service, 1);
}

/** Lets a service run on so many nodes, without touching the task it has. */
async function spread(service: string, replicas: number): Promise<void> {
  const flags = ['--constraint-rm', 'node.hostname==node1', '--replicas', String(replicas)];
  const update = ['service', 'update', '-d', '-q', '--no-resolve-image', ...flags, service];
  await cluster.docker(...update);
}

describe('with its registry down', () => {
  it('an image named by digest or by tag starts on every node once one has it', async () => {
    const { host } = open;
    await loadImage(cluster.machines, 'node1');
    await cluster.create('--name', 'loaded', '--mode', 'global', IMAGE);
    await runOnOne('pinned', `${host}/pinned:1`);
    await runOnOne('tagged', `${host}/tagged:1`, '--no-resolve-image');
    await open.stop();
    await spread('pinned', 3);
    await spread('tagged', 3);
    await cluster.running('loaded', 3);
    await cluster.running('pinned', 3);
    const tasks = await cluster.running('tagged', 3);
    const said = tasks
      .map(({ Status }) => Status.Message)
      .filter((text) => /image from/.test(text));
    expect(said).toHaveLength(2);
    expect(said[0]).toMatch(/^started \(image from nodes? .*connection refused\)$/);
    await open.resume();
  });

  it('what a node gives that is not what it should be is refused, and the registry asked', async () => {
    await runOnOne('spoilt', `${open.host}/spoilt:1`);
    await open.stop();
    const layer = [...spoilt.blobs.keys()].at(-1) ?? '';
    const blob = join(contentOf('node1'), layer.replace(':', '/'));
    const bytes = readFileSync(blob);
    bytes.fill(0, bytes.length - 1);
    bytes.fill(1, 0, 1);
    writeFileSync(blob, bytes);
    await spread('spoilt', 2);
    const { Status } = await cluster.ended('spoilt', 'rejected');
    expect(Status.Err).toMatch(/^No such image: /);
    await open.resume();
    await cluster.running('spoilt', 2);
  });

  it('an image that credentials are needed for goes to tasks with a right to it alone', async () => {
    const image = `${locked.host}/private:1`;
    const { username, password } = USER;
    await cluster.docker('login', '-u', username, '-p', password, locked.host);
    await runOnOne('private', image, '--with-registry-auth');
    await locked.stop();
    await spread('private', 2);
    await cluster.running('private', 2);
    const spec = await cluster.docker('service', 'inspect', 'private');
    expect(spec).not.toMatch(/PullOptions|registryAuth/i);

    const pinned = await cluster.docker(
      ...['service', 'inspect', '-f', '{{.Spec.TaskTemplate.ContainerSpec.Image}}', 'private'],
    );
    const others = (await cluster.running('private', 2)).map(({ NodeID }) => NodeID);
    const elsewhere = others.flatMap((id) => ['--constraint', `node.id!=${id}`]);
    await cluster.create('--name', 'thief', ...elsewhere, pinned, ...IDLE);
    const { Status } = await cluster.ended('thief', 'rejected');
    expect(Status.Err).toMatch(/^No such image: /);
    await cluster.create('--name', 'owner', '--with-registry-auth', ...elsewhere, pinned, ...IDLE);
    await cluster.running('owner', 1);
    const secrets = NODES.flatMap((node) => [password, btoa(password)].map((text) => [node, text]));
    for (const [node = '', text = ''] of secrets) {
      expect(cluster.machines.log(node)).not.toContain(text);
    }
  });
});

/** Where a machine's containerd keeps content, by algorithm and digest. */
function contentOf(machine: string): string {
  const store = 'data/containerd/io.containerd.content.v1.content/blobs';
  return join(cluster.machines.storage, machine, store);
}
