import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { crashes, loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { type PlacedTask, placed, virtualIp } from './support/overlay-scene.ts';
import { answerers, askers, Place, probe } from './support/probe.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';

/** Overlay networks of our engine and Docker's, whoever of them manages the swarm. */

const OURS = 'skep1';
const DOCKER = 'docker1';
const NETWORK = 'mixed';
/** What VXLAN leaves of 1500 bytes for a datagram, less its headers. */
const DATAGRAM_BYTES = 1_450 - 28;

vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS });

/** As `docker network inspect --verbose` has it. */
interface Inspected {
  Peers: { IP: string }[];
  Services: Record<string, { Tasks: { EndpointIP: string; Info: { 'Host IP': string } }[] }>;
}

let machines: TestMachines;

beforeAll(async () => {
  machines = new TestMachines();
  await Promise.all([machines.create([OURS]), machines.create([DOCKER], ['--engine', 'dockerd'])]);
  await loadImage(machines, OURS, DOCKER);
});
afterAll(() => machines?.cleanUp());

const addressOf = ({ addresses }: PlacedTask) => addresses[NETWORK] ?? '';
const engineAnswers = (machine: string) =>
  until(
    () => machines.dockerResult(machine, ['version']),
    ({ code }) => code === 0,
    PATIENCE_MS,
  );

/** Asks until a name's addresses are these and no others: between engines news travel by gossip. */
async function expectFound(place: Place, name: string, addresses: string[]): Promise<void> {
  const wanted = [...addresses].sort().join();
  await until(
    () => place.lookup(name),
    (found) => String(found[name]) === wanted,
    PATIENCE_MS,
  );
}

/** Each finds all by name, and reaches each of them. */
async function expectMet(tasks: readonly PlacedTask[]): Promise<void> {
  const all = tasks.map(addressOf);
  for (const { place } of tasks) {
    await expectFound(place, 'web', all);
    await expectFound(place, 'tasks.web', all);
    for (const other of tasks) {
      const reached = await place.get(`http://${addressOf(other)}/`);
      expect(answerers(reached)).toEqual([expect.stringMatching(`@${other.node}$`)]);
    }
  }
}

describe.each([
  { manager: OURS, worker: DOCKER },
  { manager: DOCKER, worker: OURS },
])('a network that $manager manages, with $worker', ({ manager, worker }) => {
  let swarm: TestCluster;
  let web: PlacedTask[];
  const on = (node: string) => web.find((task) => task.node === node) as PlacedTask;
  const becomes = (node: string, availability: string) =>
    machines.docker(manager, 'node', 'update', '--availability', availability, node);
  const inspect = async (machine: string): Promise<Inspected> =>
    JSON.parse(await machines.docker(machine, 'network', 'inspect', '--verbose', NETWORK))[0];

  beforeAll(async () => {
    swarm = new TestCluster(machines, manager);
    await swarm.init();
    await swarm.join(worker, 'worker');
    await swarm.docker('network', 'create', '-d', 'overlay', '--attachable', NETWORK);
    const flags = ['--mode', 'global', '--endpoint-mode', 'dnsrr', '--network', NETWORK];
    await swarm.create('--name', 'web', ...flags, ...probe());
    web = await placed(swarm, 'web', 2);
  });
  afterAll(async () => {
    await machines.docker(worker, 'swarm', 'leave');
    await machines.docker(manager, 'swarm', 'leave', '-f');
  });

  it('has the same names on both, and both reach all addresses', async () => {
    await expectMet(web);
  });

  it('carries full packets both ways, from the address of who sends', async () => {
    for (const task of web) {
      const other = web.find(({ node }) => node !== task.node) as PlacedTask;
      const [from, to] = [addressOf(task), addressOf(other)];
      expect(await task.place.put(`http://${to}/`, 3_000_000)).toMatchObject({
        ...{ from, to, bytes: 3_000_000 },
      });
      expect(await task.place.datagram(to, 80, DATAGRAM_BYTES)).toMatchObject({
        bytes: DATAGRAM_BYTES,
      });
    }
  });

  it('is shown by both engines with all its endpoints and where they are', async () => {
    const nodes = await Promise.all([OURS, DOCKER].map((name) => machines.address(name)));
    const endpoints = await Promise.all(
      web.map(async (task) => `${addressOf(task)} ${await machines.address(task.node)}`),
    );
    for (const machine of [OURS, DOCKER]) {
      const { Peers, Services } = await inspect(machine);
      expect(Peers.map(({ IP }) => IP).sort()).toEqual(nodes.sort());
      const shown = Services['web']?.Tasks.map(
        ({ EndpointIP, Info }) => `${EndpointIP} ${Info['Host IP']}`,
      );
      expect(shown?.sort()).toEqual(endpoints.sort());
    }
  });

  it('takes containers of both engines, by name and alias, and forgets them', async () => {
    for (const machine of [OURS, DOCKER]) {
      const flags = ['-d', '--name', 'guest', '--network', NETWORK, '--network-alias', 'friend'];
      const id = await machines.docker(machine, 'run', ...flags, ...probe([], 'guest'));
      const guest = Place.container(machines, machine, id);
      const far = web.find(({ node }) => node !== machine) as PlacedTask;
      await expectFound(guest, 'web', web.map(addressOf));
      expect(answerers(await guest.get(`http://${addressOf(far)}/`))).toHaveLength(1);
      for (const name of ['guest', 'friend']) {
        await until(
          () => far.place.get(`http://${name}/`),
          (outcomes) => answerers(outcomes).join() === 'guest',
          PATIENCE_MS,
        );
      }
      await machines.docker(machine, 'rm', '-f', 'guest');
      await until(
        () => far.place.lookup('guest'),
        (found) => typeof found.guest === 'string',
        PATIENCE_MS,
      );
    }
  });

  it("has virtual IPs and published ports on our side for what runs on Docker's", async () => {
    const place = ['--constraint', `node.hostname==${DOCKER}`, '-p', '8080:80'];
    await swarm.create('--name', 'far', ...place, '--network', NETWORK, ...probe());
    await placed(swarm, 'far', 1);
    const address = await virtualIp(swarm, 'far', NETWORK);
    await expectFound(on(OURS).place, 'far', [address]);
    const inside = await until(
      () => on(OURS).place.get('http://far/'),
      (outcomes) => typeof outcomes[0] === 'object',
      PATIENCE_MS,
    );
    expect(askers(inside)).toEqual([addressOf(on(OURS))]);
    const outside = await until(
      async () => Place.host().get(`http://${await machines.address(OURS)}:8080/`),
      (outcomes) => typeof outcomes[0] === 'object',
      PATIENCE_MS,
    );
    // Docker's engine sends answers to the node that asked: it has to be the one it sees.
    expect(askers(outside)).toEqual([expect.stringMatching(/^10\.0\.0\.\d+$/)]);
    await swarm.remove('far');
  });

  it('loses the name of a task before that gets its signal, or soon after it is gone', async () => {
    for (const node of [OURS, DOCKER]) {
      const other = web.find((task) => task.node !== node) as PlacedTask;
      const { containerId } = on(node);
      await becomes(node, 'drain');
      await expectFound(other.place, 'tasks.web', [addressOf(other)]);
      const lostMs = Date.now();
      const finished = await until(
        () => machines.dockerResult(node, ['inspect', '-f', '{{.State.FinishedAt}}', containerId]),
        ({ code, stdout }) => code !== 0 || !stdout.startsWith('0001'),
      );
      if (finished.code === 0)
        expect(lostMs - Date.parse(finished.stdout.trim())).toBeLessThan(2_000);
      await becomes(node, 'active');
      web = await placed(swarm, 'web', 2);
      await expectMet(web);
    }
  });

  it('stays while our daemon is away, and is whole again after both were killed', async () => {
    const [ours, theirs] = [on(OURS), on(DOCKER)];
    await machines.ssh(OURS, 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    const reached = await theirs.place.get(`http://${addressOf(ours)}/`);
    expect(answerers(reached)).toHaveLength(1);
    await machines.ssh(DOCKER, 'kill -9 $(cat /run/skep/docker.pid)');
    await Promise.all([engineAnswers(OURS), engineAnswers(DOCKER)]);
    web = await until(
      () => placed(swarm, 'web', 2),
      (tasks) => tasks.every(({ id }) => id !== theirs.id),
      PATIENCE_MS,
    );
    expect(on(OURS).containerId).toBe(ours.containerId);
    await expectMet(web);
  });

  it('that is encrypted is so between the engines, or else nothing goes there and we say so', async () => {
    await swarm.docker('network', 'create', '-d', 'overlay', '--opt', 'encrypted', 'secret');
    const flags = ['--mode', 'global', '--endpoint-mode', 'dnsrr', '--network', 'secret'];
    await swarm.create('--name', 'hush', ...flags, ...probe());
    const tasks = await placed(swarm, 'hush', 2);
    const [ours, theirs] = [OURS, DOCKER].map((node) => tasks.find((task) => task.node === node));
    const addresses = tasks.map(({ addresses }) => addresses['secret'] ?? '');
    await expectFound(ours?.place as Place, 'hush', addresses);
    const { Warnings } = await machines.get<{ Warnings: string[] | null }>(OURS, '/info');
    const refused = /^nothing of encrypted networks is sent to node [0-9a-z]+: .*no IPsec ESP/;
    const isRefused = (Warnings ?? []).some((line) => refused.test(line));
    const reached = await ours?.place.get(`http://${theirs?.addresses['secret']}/`);
    if (isRefused) expect(reached).toEqual(['TIMEOUT']);
    else expect(answerers(reached ?? [])).toEqual([`hush.0@${DOCKER}`]);
    await swarm.remove('hush');
  });

  it('is removed from both', async () => {
    await swarm.remove('web');
    await until(
      () => machines.dockerResult(manager, ['network', 'rm', NETWORK, 'secret']),
      ({ code }) => code === 0,
    );
    for (const machine of [OURS, DOCKER]) {
      const list = ['network', 'ls', '-q', '-f', `name=${NETWORK}`];
      await until(
        () => machines.docker(machine, ...list),
        (ids) => ids === '',
      );
    }
    await until(
      () => machines.ssh(OURS, 'ls /run/skep/netns'),
      (names) => (names.match(/^ov-/gm) ?? []).length === 1, // of the ingress network
    );
  });
});

it("brought Docker's engine down in none of this", () => {
  expect(crashes(machines, DOCKER)).toEqual([]);
});
