import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { must, until } from './support/exec.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';
import { tutorialArchive } from './support/tutorial-images.ts';

/**
 * The chapter on overlay networks of the tutorials from which people learn swarm mode: its two
 * applications, by the commands as they stand there, with real Redis and PostgreSQL.
 */

const NODES = ['node1', 'node2', 'node3'];
const ID = /^[0-9a-z]{25}$/;

/** Each test waits for several states, each with the patience of a busy machine. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let cluster: TestCluster;
let addresses: string[];

beforeAll(async () => {
  const [archive] = await Promise.all([
    tutorialArchive(),
    TestCluster.swarm(NODES.slice(0, 1), NODES.slice(1)).then((made) => {
      cluster = made;
    }),
  ]);
  await Promise.all(NODES.map((name) => cluster.dockerOn(name, 'load', '-q', '-i', archive)));
  addresses = await Promise.all(NODES.map((name) => cluster.machines.address(name)));
});
afterAll(() => cluster?.cleanUp());

/** Types a line into the manager; its last line, which is an id where something is created. */
async function type(line: string): Promise<string> {
  const said = await cluster.machines.ssh('node1', line);
  return said.split('\n').at(-1) ?? '';
}

/** A page from outside the cluster; empty when there is none. */
function page(address: string, path = '/', port = 80): Promise<string> {
  const url = `http://${address}:${port}${path}`;
  return must('curl', ['-s', '--max-time', '5', url]).catch(() => '');
}

/** Asks each node for a page until its whole text matches. */
async function untilPages(path: string, port: number, text: RegExp): Promise<void> {
  for (const address of addresses) {
    await until(
      () => page(address, path, port),
      (seen) => text.test(seen),
    );
  }
}

describe('Drupal and PostgreSQL', () => {
  it('are created on an overlay network', async () => {
    expect(await type('docker network create --driver overlay mydrupal')).toMatch(ID);
    const listed = await type('docker network ls --filter name=mydrupal');
    expect(listed).toMatch(/^[0-9a-z]{12} +mydrupal +overlay +swarm$/);
    const psql = 'docker service create --detach --name psql --network mydrupal skep/postgres';
    expect(await type(psql)).toMatch(ID);
    const drupal =
      'docker service create --detach --name drupal --network mydrupal -p 80:80 skep/drupal';
    expect(await type(drupal)).toMatch(ID);
    await cluster.running('psql', 1);
    await cluster.running('drupal', 1);
    expect(await type('docker service ps drupal')).toMatch(
      / drupal\.1 +skep\/drupal:latest +node\d /,
    );
  });

  it('serve at the address of each node, Drupal finding its database by name', async () => {
    await untilPages('/', 80, /^Welcome to Drupal, visitor \d+\n$/);
    const [first = ''] = addresses;
    const visitor = async () => Number((await page(first)).match(/visitor (\d+)/)?.[1]);
    const before = await visitor();
    expect(await visitor()).toBe(before + 1);
  });

  it('still find each other on other nodes', async () => {
    await cluster.update('--constraint-add', 'node.hostname==node2', 'psql');
    await cluster.update('--constraint-add', 'node.hostname==node3', 'drupal');
    const nodes = async (service: string) => (await cluster.placement(service, 1)).join();
    await until(
      async () => `${await nodes('psql')} ${await nodes('drupal')}`,
      (seen) => seen === 'node2 node3',
      PATIENCE_MS,
    );
    await untilPages('/', 80, /^Welcome to Drupal, visitor \d+\n$/);
  });

  it('are removed, and their network with them', async () => {
    await cluster.remove('drupal', 'psql');
    await until(
      () => cluster.machines.sshResult('node1', 'docker network rm mydrupal'),
      ({ stdout }) => stdout === 'mydrupal\n',
    );
    for (const address of addresses) expect(await page(address)).toBe('');
  });
});

describe('the voting app', () => {
  it('is created: two networks, five services', async () => {
    expect(await type('docker network create -d overlay frontend')).toMatch(ID);
    expect(await type('docker network create -d overlay backend')).toMatch(ID);
    const create = 'docker service create --detach';
    const services = [
      '--name vote --network frontend -p 80:80 --replicas 2 skep/vote',
      '--name redis --network frontend skep/redis',
      '--name worker --network frontend --network backend skep/worker',
      '--name db --network backend -e POSTGRES_HOST_AUTH_METHOD=trust ' +
        '--mount type=volume,source=db-data,target=/var/lib/postgresql/data skep/postgres',
      '--name result --network backend -p 5001:80 skep/result',
    ];
    for (const service of services) expect(await type(`${create} ${service}`)).toMatch(ID);
    await cluster.running('vote', 2);
    for (const service of ['redis', 'worker', 'db', 'result']) await cluster.running(service, 1);
    expect(await cluster.docker('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe(
      'db 1/1\nredis 1/1\nresult 1/1\nvote 2/2\nworker 1/1',
    );
  });

  it('takes votes at each node, and shows them at each node', async () => {
    await untilPages('/', 80, /^Cats or dogs\? \([0-9a-f]{12}\)\n$/);
    await untilPages('/?vote=cats', 80, /^\d+\n$/);
    const [first = ''] = addresses;
    expect(await page(first, '/?vote=dogs')).toMatch(/^\d+\n$/);
    await untilPages('/', 5_001, /^cats 3\ndogs 1\n$/);
  });

  it('shares votes between both tasks of its front', async () => {
    const [first = ''] = addresses;
    const seen = new Set<string>();
    await until(
      async () => seen.add(await page(first)),
      (pages) => pages.size === 2,
    );
  });

  it('keeps what is in one network from the other', async () => {
    const [task] = await cluster.running('vote', 2);
    const node = (await cluster.nodes()).find(({ id }) => id === task?.NodeID)?.hostname ?? '';
    const id = task?.Status.ContainerStatus?.ContainerID ?? '';
    const ask = (name: string) =>
      cluster.machines.dockerResult(node, ['exec', id, 'busybox', 'nslookup', name, '127.0.0.11']);
    expect((await ask('redis')).stdout).toMatch(/Address.*: 10\.0\.\d+\.\d+/);
    expect((await ask('db')).stdout).not.toMatch(/Address.*: 10\.0\.\d+\.\d+/);
  });
});
