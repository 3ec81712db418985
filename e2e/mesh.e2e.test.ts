import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { until } from './support/exec.ts';
import { HeldConnection } from './support/held-connection.ts';
import { inNetworkOf, placed } from './support/overlay-scene.ts';
import { answerers, askers, Place, probe } from './support/probe.ts';
import { SteadyLoad } from './support/steady-load.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';

/** Published ports of three machines, asked from a fourth that is in no cluster, and from within. */

const NODES = ['node1', 'node2', 'node3'];
const OUTSIDER = 'outsider';

/** Each test waits for several states, each with the patience of a busy machine. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let cluster: TestCluster;
let addresses: string[];
let outsider: Place;
let outsiderAddress: string;
/** This host's, on the machines' switch: another client outside. */
let hostAddress: string;

beforeAll(async () => {
  cluster = await TestCluster.swarm(NODES.slice(0, 1), NODES.slice(1));
  await cluster.machines.create([OUTSIDER], ['--engine', 'none']);
  outsider = await Place.machine(cluster.machines, OUTSIDER);
  outsiderAddress = await cluster.machines.address(OUTSIDER);
  hostAddress = outsiderAddress.replace(/\d+$/, '1');
  addresses = await Promise.all(NODES.map((name) => cluster.machines.address(name)));
});
afterAll(() => cluster?.cleanUp());

const urls = (port = 8_080) => addresses.map((address) => `http://${address}:${port}/`);

/** Tasks on two of the nodes; the third has only the mesh. */
const ELSEWHERE = ['--constraint', 'node.hostname!=node1'];
const BOTH = ['web@node2', 'web@node3'];

/** `web.1@node2` and the like, as `web@node2`. */
const withoutSlots = (names: readonly string[]) =>
  names.map((name) => name.replace(/\.\d+@/, '@')).sort();

describe('a published port', () => {
  beforeAll(async () => {
    const ports = ['-p', '8080:80', '-p', '8080:80/udp', '-p', '8007:7'];
    const placement = ['--replicas', '2', '--replicas-max-per-node', '1', ...ELSEWHERE];
    await cluster.create('--name', 'web', ...placement, ...ports, ...probe());
    await placed(cluster, 'web', 2);
    await untilAnswered(8_080);
  });
  afterAll(() => cluster.remove('web'));

  it('answers on each node for all tasks, which see the client’s own address', async () => {
    for (const url of urls()) {
      const outcomes = await outsider.get(url, 40);
      expect(withoutSlots(answerers(outcomes))).toEqual(BOTH);
      expect(askers(outcomes)).toEqual([outsiderAddress]);
      expect(askers(await Place.host().get(url, 10))).toEqual([hostAddress]);
    }
  });

  it('does so by UDP', async () => {
    for (const address of addresses) {
      const outcomes = await outsider.udp(address, 8_080, 40);
      expect(withoutSlots(answerers(outcomes))).toEqual(BOTH);
      expect(askers(outcomes)).toEqual([outsiderAddress]);
    }
  });

  it('carries much, in both directions of a connection', async () => {
    for (const url of urls())
      expect(await outsider.put(url, 5_000_000)).toMatchObject({ bytes: 5e6 });
    const held = await HeldConnection.open(addresses[0] ?? '', 8_007);
    expect(held.from).toBe(hostAddress);
    expect(await held.echo('there and back')).toBe('there and back');
    held.close();
  });

  it('answers the nodes themselves, on loopback, on their own address and on the others', async () => {
    for (const [n, node] of NODES.entries()) {
      const place = await Place.machine(cluster.machines, node);
      for (const url of ['http://127.0.0.1:8080/', ...urls()]) {
        expect(withoutSlots(answerers(await place.get(url, 30)))).toEqual(BOTH);
      }
      expect(answerers(await place.udp(addresses[n] ?? '', 8_080, 5)).join()).toMatch(/^web/);
    }
  });

  it('answers containers: its own tasks, and those in no network of the swarm', async () => {
    for (const { place } of await placed(cluster, 'web', 2)) {
      for (const url of urls())
        expect(withoutSlots(answerers(await place.get(url, 30)))).toEqual(BOTH);
    }
    for (const node of ['node1', 'node2']) {
      const id = await cluster.dockerOn(
        node,
        'run',
        '-d',
        '--stop-timeout',
        '1',
        ...probe([], 'plain'),
      );
      const place = Place.container(cluster.machines, node, id);
      for (const url of urls())
        expect(withoutSlots(answerers(await place.get(url, 30)))).toEqual(BOTH);
      await cluster.dockerOn(node, 'rm', '-f', id);
    }
  });

  it('is refused to a second service, out of range, and where the swarm itself listens', async () => {
    const second = [
      'service',
      'create',
      '-d',
      '-q',
      '--name',
      'second',
      '-p',
      '8080:80',
      ...probe(),
    ];
    expect(await cluster.fails(...second)).toMatch(
      /port '8080' is already in use by service 'web' \(\S+\) as an ingress port/,
    );
    const own = ['service', 'create', '-d', '-q', '-p', '4789:80/udp', ...probe()];
    expect(await cluster.fails(...own)).toMatch(
      /port '4789' \(udp\) is in use by the swarm itself, for overlay networks \(VXLAN\)/,
    );
    for (const port of ['70000:80', '80:70000', '80:0']) {
      const bad = ['service', 'create', '-d', '-q', '-p', port, ...probe()];
      expect(await cluster.fails(...bad)).toMatch(/invalid|range/i);
    }
  });

  it('answers no more at once when there is no task', async () => {
    await cluster.docker('service', 'scale', '-d', 'web=0');
    await cluster.running('web', 0);
    for (const url of urls()) {
      await until(
        async () => (await Place.host().get(url))[0],
        (outcome) => outcome === 'ECONNREFUSED',
      );
    }
    await cluster.docker('service', 'scale', '-d', 'web=2');
    await placed(cluster, 'web', 2);
    await untilAnswered(8_080);
  });
});

/** Waits until a port answers on each node. */
async function untilAnswered(port: number): Promise<void> {
  for (const url of urls(port)) {
    await until(
      async () => (await Place.host().get(url))[0],
      (outcome) => typeof outcome === 'object',
    );
  }
}

/** How many rules a node has, its namespace of the mesh included. */
async function rules(): Promise<number> {
  const list = 'nft -j list ruleset';
  const inside = `nsenter --net=$(ls -d /run/skep/netns/ov-* | head -n 1) ${list}`;
  const texts = [
    await cluster.machines.ssh('node1', list),
    await cluster.machines.ssh('node1', inside),
  ];
  const all = texts.flatMap((text) => JSON.parse(text).nftables as object[]);
  return all.filter((entry) => 'rule' in entry).length;
}

/** Waits until a node's engine answers again. */
async function untilUp(node: string): Promise<void> {
  await until(
    () => cluster.machines.dockerResult(node, ['node', 'ls']),
    ({ stderr }) => !/Cannot connect|being prepared|no leader/i.test(stderr),
  );
}

describe('ports', () => {
  it('are found where nobody names one, and come in ranges', async () => {
    await cluster.create('--name', 'any', '-p', '80', ...probe());
    await cluster.running('any', 1);
    const format = '{{json .Endpoint.Ports}}';
    const [port] = JSON.parse(await cluster.docker('service', 'inspect', '-f', format, 'any'));
    expect(port.PublishedPort).toBeGreaterThanOrEqual(30_000);
    await untilAnswered(port.PublishedPort);
    const before = await rules();
    await cluster.create('--name', 'range', '-p', '8100-8199:80-179', ...probe());
    await cluster.running('range', 1);
    await untilAnswered(8_100);
    const listed = ['service', 'ls', '-f', 'name=range', '--format', '{{.Ports}}'];
    expect(await cluster.docker(...listed)).toBe('*:8100-8199->80-179/tcp');
    expect(await rules()).toBe(before); // ports are entries of maps
    await cluster.remove('any', 'range');
  });

  it('in host mode are those of the task’s own node', async () => {
    const host = ['--publish', 'mode=host,target=80,published=8200'];
    await cluster.create(
      '--name',
      'own',
      '--constraint',
      'node.hostname==node2',
      ...host,
      ...probe(),
    );
    await cluster.running('own', 1);
    const [first, second, third] = urls(8_200);
    await until(
      () => outsider.get(second ?? ''),
      (outcomes) => typeof outcomes[0] === 'object',
    );
    expect(askers(await outsider.get(second ?? ''))).toEqual([outsiderAddress]);
    expect(await outsider.get(first ?? '')).toEqual(['ECONNREFUSED']);
    expect(await outsider.get(third ?? '')).toEqual(['ECONNREFUSED']);
    await cluster.remove('own');
  });

  it('that a program of the host has: `service ps` says so', async () => {
    const serve =
      "require('net').createServer((s) => s.end()).listen(8400).on('listening', () => console.log('up'))";
    const net = `--net=/proc/${await cluster.machines.pid('node2')}/ns/net`;
    const program = spawn('nsenter', [net, process.execPath, '-e', serve]);
    await once(program.stdout, 'data');
    const errorsOf = async (mode: string) => {
      const port = ['--publish', `mode=${mode},target=80,published=8400`];
      const place = ['--constraint', 'node.hostname==node2', '--restart-condition', 'none'];
      await cluster.create('--name', mode, ...place, ...port, ...probe());
      const ps = ['service', 'ps', '--no-trunc', mode];
      const [error = ''] = await until(
        async () => (await cluster.docker(...ps, '--format', '{{.Error}}')).split('\n'),
        ([text]) => text !== '',
      );
      const states = await cluster.docker(...ps, '--format', '{{.CurrentState}}');
      await cluster.remove(mode);
      return `${states.split(' ')[0]}: ${error}`;
    };
    expect(await errorsOf('host')).toMatch(
      /^Failed: .*driver failed programming external connectivity .*0\.0\.0\.0:8400: bind: address already in use/,
    );
    expect(await errorsOf('ingress')).toMatch(
      /^Running: "published port 8400\/tcp hides another program of this host that listens on it"$/,
    );
    program.kill();
  });

  it('lead a client to the same task each time where its service wants that', async () => {
    const affinity = ['--label', 'skep.affinity=client', '-p', '8300:80', '--replicas', '3'];
    await cluster.create('--name', 'sticky', ...affinity, ...probe());
    await cluster.running('sticky', 3);
    await untilAnswered(8_300);
    const more = Array.from({ length: 12 }, (_, n) =>
      outsiderAddress.replace(/\d+$/, `${200 + n}`),
    );
    const add = more.map((address) => `ip addr add ${address}/24 dev eth0`);
    await inNetworkOf(cluster.machines, OUTSIDER, add.join('; '));
    const all = new Set<string>();
    for (const address of more) {
      const names = answerers(
        (await Promise.all(urls(8_300).map((url) => outsider.getFrom(address, url, 5)))).flat(),
      );
      expect(names).toHaveLength(1);
      all.add(names[0] ?? '');
    }
    expect(all.size).toBeGreaterThan(1);
    await cluster.remove('sticky');
  });
});

// There is no health check: a server that does not listen yet is not asked.
describe('without losing a request', () => {
  beforeAll(async () => {
    const update = ['--update-delay', '0s', '--update-monitor', '0s', '--stop-grace-period', '10s'];
    const rollback = ['--rollback-monitor', '0s', '--rollback-order', 'start-first'];
    await cluster.create(
      '--name',
      'web',
      '--replicas',
      '3',
      ...update,
      ...rollback,
      '-p',
      '8080:80',
      '-p',
      '8007:7',
      ...probe(),
    );
    await cluster.running('web', 3);
    await untilAnswered(8_080);
  });
  afterAll(() => cluster.remove('web'));

  /** Does something to the service while it is asked all the time, on known and new connections. */
  async function underLoad(work: () => Promise<unknown>): Promise<void> {
    const loads = [true, false].map(
      (keepAlive) => new SteadyLoad({ urls: urls(), clients: 3, keepAlive }),
    );
    const untilMore = async () => {
      const before = loads.map(({ answers }) => answers);
      await until(
        async () => loads.map(({ answers }, n) => answers - (before[n] ?? 0)),
        (more) => more.every((count) => count > 30),
      );
    };
    await untilMore();
    await work();
    await untilMore();
    for (const load of loads) expect(await load.stop()).toEqual([]);
  }

  /** Waits until none of the tasks of before is left, and as many others run. */
  async function replaced(command: () => Promise<unknown>): Promise<void> {
    const before = await cluster.running('web', 3);
    await command();
    await until(
      async () => (await cluster.running('web', 3)).map(({ ID }) => ID),
      (ids) => !before.some(({ ID }) => ids.includes(ID)),
      PATIENCE_MS,
    );
  }

  for (const order of ['stop-first', 'start-first']) {
    it(`a service is updated task by task, ${order}`, () =>
      underLoad(() => replaced(() => cluster.update('--force', '--update-order', order, 'web'))));
  }

  it('a service is rolled back', () =>
    underLoad(() => replaced(() => cluster.docker('service', 'rollback', '-d', 'web'))));

  it('a node is drained: its tasks go on until others run in their stead', async () => {
    const [{ NodeID = '' } = {}] = await cluster.running('web', 3);
    const setAvailability = (to: string) =>
      cluster.docker('node', 'update', '--availability', to, NodeID);
    let fewest = 3;
    await underLoad(async () => {
      await setAvailability('drain');
      await until(
        async () => (await cluster.tasks('web')).filter(({ Status }) => Status.State === 'running'),
        (tasks) => {
          fewest = Math.min(fewest, tasks.length);
          return tasks.length === 3 && tasks.every((task) => task.NodeID !== NodeID);
        },
        PATIENCE_MS,
      );
    });
    expect(fewest).toBe(3);
    await setAvailability('active');
  });

  it('a service is scaled down', async () => {
    await underLoad(async () => {
      await cluster.docker('service', 'scale', '-d', 'web=1');
      await cluster.running('web', 1);
    });
  });
});

/** A service with a task on each of the two nodes that are not asked. */
async function createOneEach(): Promise<void> {
  const placement = ['--replicas', '2', '--replicas-max-per-node', '1', ...ELSEWHERE];
  const ports = ['-p', '8080:80', '-p', '8007:7'];
  await cluster.create('--name', 'web', ...placement, ...ports, ...probe());
  await placed(cluster, 'web', 2);
  await untilAnswered(8_080);
}

describe('what is there already', () => {
  beforeAll(async () => {
    await createOneEach();
  });
  afterAll(() => cluster.remove('web'));

  it('connections: they outlive every node’s daemon, and go on while nothing runs in its place', async () => {
    const held = await Promise.all(addresses.map((address) => HeldConnection.open(address, 8_007)));
    for (const node of NODES) {
      await cluster.machines.ssh(node, 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    }
    for (const one of held) expect(await one.echo('orphaned')).toBe('orphaned');
    for (const node of NODES) await untilUp(node);
    await placed(cluster, 'web', 2);
    for (const one of held) expect(await one.echo('adopted')).toBe('adopted');
    await untilAnswered(8_080);
    for (const one of held) one.close();
  });

  it('rules, neighbours and forwarding entries: what somebody spoils is put right by itself', async () => {
    const ingress = 'nsenter --net=$(ls -d /run/skep/netns/ov-* | head -n 1)';
    await cluster.machines.ssh(
      'node1',
      [
        'nft list tables | while read -r word family name; do case $name in skep*) nft flush table $family $name;; esac; done',
        `${ingress} sh -c 'bridge fdb show dev vxlan0 | while read -r mac rest; do bridge fdb del $mac dev vxlan0 dst $(echo $rest | sed "s/.*dst \\([0-9.]*\\).*/\\1/") 2>/dev/null || true; done; ip neigh flush all nud permanent'`,
      ].join('; '),
    );
    const node1 = urls()[0] ?? '';
    await until(
      async () => (await Place.host().get(node1))[0],
      (outcome) => typeof outcome === 'object',
      PATIENCE_MS,
    );
    expect(withoutSlots(answerers(await Place.host().get(node1, 40)))).toEqual(BOTH);
  });
});

describe('a node that is lost', () => {
  it('is left out within seconds, and its clients hear of it', async () => {
    await createOneEach();
    const all = await Promise.all(
      Array.from({ length: 20 }, () => HeldConnection.open(addresses[0] ?? '', 8_007)),
    );
    const held = all.filter(({ name }) => name.endsWith('@node3'));
    expect(held).not.toEqual([]);
    const cutAtMs = Date.now();
    await cluster.machines.disconnect('node3'); // as by a power cut: nobody says goodbye
    const ends = await Promise.all(held.map((one) => one.echo('anybody?')));
    expect([...new Set(ends)]).toEqual(['ECONNRESET']);
    expect(Date.now() - cutAtMs).toBeLessThan(12_000);
    const outcomes = (
      await Promise.all(
        urls()
          .slice(0, 2)
          .map((url) => Place.host().get(url, 20)),
      )
    ).flat();
    expect(withoutSlots(answerers(outcomes))).toEqual(['web@node2']);
    for (const one of all) one.close();
  });
});
