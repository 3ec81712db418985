import { createServer, type Server } from 'node:http';
import { BlockList } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Capture } from './support/capture.ts';
import { TestCluster } from './support/cluster.ts';
import { until } from './support/exec.ts';
import { NameServer } from './support/name-server.ts';
import { type PlacedTask, placed, virtualIp } from './support/overlay-scene.ts';
import { answerers, askers, Place, probe } from './support/probe.ts';
import { IMAGE } from './support/sample.ts';
import { IDLE } from './support/swarm-view.ts';

/** Overlay networks over three machines with real containers: addresses, names, virtual IPs, ways out. */

const NODES = ['node1', 'node2', 'node3'];

/** Each test waits for several states, each with the patience of a busy machine. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let cluster: TestCluster;
/** Address of this host, which is in no cluster, on the machines' switch. */
let outside: string;

/** Of the swarm; the defaults are in the tests of the tutorials and of the mesh. */
const POOL = ['--default-addr-pool', '10.32.0.0/13', '--default-addr-pool-mask-length', '26'];
const TUNNEL_PORT = 5_789;

beforeAll(async () => {
  cluster = await TestCluster.machines(...NODES);
  await cluster.init(...POOL, '--data-path-port', String(TUNNEL_PORT));
  for (const name of NODES.slice(1)) await cluster.join(name, 'worker');
  outside = (await cluster.machines.address('node1')).replace(/\d+$/, '1');
});
afterAll(() => cluster?.cleanUp());

const network = (...words: string[]) => cluster.docker('network', ...words);
const createNetwork = (...words: string[]) => network('create', '-d', 'overlay', ...words);

/** `docker network inspect` of a network, as a node has it. */
async function inspect(name: string, node = 'node1', ...flags: string[]) {
  return JSON.parse(await cluster.dockerOn(node, 'network', 'inspect', ...flags, name))[0];
}

/** Whether an address is of a network's subnet. */
function isIn({ IPAM }: { IPAM: { Config: { Subnet: string }[] } }, address = ''): boolean {
  const [net = '', prefix] = IPAM.Config[0]?.Subnet.split('/') ?? [];
  const block = new BlockList();
  block.addSubnet(net, Number(prefix));
  return block.check(address);
}

/** Waits until nothing keeps a network from being removed: tasks of the past end first. */
async function removeNetwork(...names: string[]): Promise<void> {
  await until(
    () => cluster.machines.dockerResult('node1', ['network', 'rm', ...names]),
    ({ code }) => code === 0,
  );
}

describe('networks', () => {
  it('are created with what was asked, shown, and removed', async () => {
    const pool = [
      '--subnet',
      '10.77.0.0/24',
      '--gateway',
      '10.77.0.9',
      '--ip-range',
      '10.77.0.128/25',
    ];
    const more = [
      '--label',
      'tier=back',
      '--internal',
      '--opt',
      'com.docker.network.driver.mtu=1300',
    ];
    const id = await createNetwork('--attachable', ...pool, ...more, 'asked');
    expect(id).toMatch(/^[0-9a-z]{25}$/);
    expect(await inspect('asked')).toMatchObject({
      Name: 'asked',
      Id: id,
      Scope: 'swarm',
      Driver: 'overlay',
      EnableIPv6: false,
      IPAM: {
        Config: [{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.9', IPRange: '10.77.0.128/25' }],
      },
      Internal: true,
      Attachable: true,
      Ingress: false,
      Labels: { tier: 'back' },
    });
    expect(
      await network('ls', '--filter', 'name=asked', '--format', '{{.Name}} {{.Driver}} {{.Scope}}'),
    ).toBe('asked overlay swarm');
    expect(await network('rm', 'asked')).toBe('asked');
    expect(await cluster.fails('network', 'inspect', 'asked')).toContain('asked not found');
  });

  it('get a subnet of the pool, a gateway, and a tunnel number of their own', async () => {
    await createNetwork('one');
    await createNetwork('two');
    const [one, two] = [await inspect('one'), await inspect('two')];
    expect(one.IPAM.Config[0].Subnet).toMatch(/^10\.3[2-9]\.\d+\.\d+\/26$/);
    expect(isIn(one, one.IPAM.Config[0].Gateway)).toBe(true);
    expect(two.IPAM.Config[0].Subnet).not.toBe(one.IPAM.Config[0].Subnet);
    const number = 'com.docker.network.driver.overlay.vxlanid_list';
    expect(Number(one.Options[number])).toBeGreaterThanOrEqual(4_096);
    expect(two.Options[number]).not.toBe(one.Options[number]);
    const pruned = await network('prune', '-f');
    expect(pruned).toContain('one');
    expect(pruned).toContain('two');
  });

  it('are refused with overlapping subnets, among themselves and with the host’s routes', async () => {
    await createNetwork('--subnet', '10.78.0.0/16', 'first');
    const overlapping = [
      'network',
      'create',
      '-d',
      'overlay',
      '--subnet',
      '10.78.3.0/24',
      'second',
    ];
    expect(await cluster.fails(...overlapping)).toMatch(/overlaps/i);
    const switchSubnet = outside.replace(/\.\d+$/, '.0/24');
    const onHost = ['network', 'create', '-d', 'overlay', '--subnet', switchSubnet, 'second'];
    expect(await cluster.fails(...onHost)).toMatch(/overlaps/i);
    expect(await cluster.fails('network', 'create', '-d', 'overlay', 'first')).toContain(
      'network with name first already exists',
    );
    await network('rm', 'first');
  });

  it('are refused by workers, with bad input, and with a second ingress', async () => {
    const create = ['network', 'create', '-d', 'overlay'];
    expect(await cluster.machines.dockerFails('node2', ...create, 'x')).toContain(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join"',
    );
    const invalid = ['--subnet', '10.79.0.0/24', '--gateway', '10.80.0.1', 'x'];
    expect(await cluster.fails(...create, ...invalid)).toMatch(/gateway|subnet/i);
    expect(await cluster.fails(...create, '--ingress', 'x')).toMatch(
      /ingress network \(\S+\) is already present/,
    );
    expect(await cluster.fails(...create, '--ingress', '--attachable', 'x')).toContain(
      'ingress network cannot be attachable',
    );
  });
});

describe('services on networks', () => {
  let web: PlacedTask[];
  let clients: PlacedTask[];

  beforeAll(async () => {
    await createNetwork('front');
    await createNetwork('back');
    const create = (...words: string[]) => cluster.create('--stop-grace-period', '5s', ...words);
    await create(
      '--name',
      'web',
      '--replicas',
      '3',
      '--network',
      'name=front,alias=site',
      ...probe(),
    );
    const global = ['--mode', 'global', '--network', 'front', '--network', 'back'];
    await create('--name', 'clients', ...global, ...probe());
    const roundRobin = ['--replicas', '2', '--endpoint-mode', 'dnsrr', '--network', 'back'];
    await create('--name', 'db', ...roundRobin, ...probe());
    web = await placed(cluster, 'web', 3);
    clients = await placed(cluster, 'clients', 3);
    await placed(cluster, 'db', 2);
  });

  it('run on every node, each task with an address in each of its networks', async () => {
    expect(web.map(({ node }) => node)).toEqual(NODES);
    const [front, back] = [await inspect('front'), await inspect('back')];
    for (const { addresses } of clients) {
      expect(isIn(front, addresses['front'])).toBe(true);
      expect(isIn(back, addresses['back'])).toBe(true);
    }
  });

  it('are found from every node by name, alias, slot, task and container, and backwards', async () => {
    const address = await virtualIp(cluster, 'web', 'front');
    const all = web.map(({ addresses }) => addresses['front'] ?? '').sort();
    const first = (await cluster.tasks('web')).find(({ Slot }) => Slot === 1);
    const task = web.find(({ id }) => id === first?.ID);
    const own = task?.addresses['front'] ?? '';
    for (const { place } of clients) {
      const found = await place.lookup(
        ...['web', 'WEB', 'site', 'web.front', 'tasks.web', 'tasks.site', 'web.1'],
        ...[`web.1.${task?.id}`, task?.containerId.slice(0, 12) ?? '', own, 'nobody'],
      );
      expect(found).toEqual({
        ...{ web: [address], WEB: [address], site: [address], 'web.front': [address] },
        ...{ 'tasks.web': all, 'tasks.site': all, 'web.1': [own] },
        ...{ [`web.1.${task?.id}`]: [own], [task?.containerId.slice(0, 12) ?? '']: [own] },
        [own]: [`web.1.${task?.id}.front`],
        nobody: expect.stringMatching(/^E/),
      });
    }
  });

  it('without a virtual IP are found by the addresses of their tasks', async () => {
    const db = (await placed(cluster, 'db', 2)).map(({ addresses }) => addresses['back']).sort();
    for (const { place } of clients) {
      expect(await place.lookup('db', 'tasks.db')).toEqual({ db, 'tasks.db': db });
    }
  });

  it('are reached by task and by virtual IP, and see who asks', async () => {
    const names = web.map(({ node }) => expect.stringMatching(`^web\\.\\d@${node}$`));
    for (const { place, addresses } of clients) {
      for (const task of web) {
        const [answer] = await place.get(`http://${task.addresses['front']}/`);
        expect(answer).toMatchObject({ from: addresses['front'], to: task.addresses['front'] });
      }
      const byHttp = await place.get('http://web/', 40);
      expect(answerers(byHttp)).toHaveLength(3);
      expect(answerers(byHttp)).toEqual(expect.arrayContaining(names));
      expect(askers(byHttp)).toEqual([addresses['front']]);
      const byUdp = await place.udp('web', 80, 40);
      expect(answerers(byUdp)).toEqual(answerers(byHttp));
      expect(askers(byUdp)).toEqual([addresses['front']]);
    }
  });

  it('reach themselves by their own name, wherever they are sent', async () => {
    for (const { place } of web) {
      expect(answerers(await place.get('http://web/', 40))).toHaveLength(3);
    }
  });

  it('answer a ping of their virtual IP', async () => {
    const { node = '', containerId = '' } = clients[0] ?? {};
    const said = await cluster.dockerOn(
      node,
      ...['exec', containerId, 'ping', '-c', '2', '-W', '2', 'web'],
    );
    expect(said).toMatch(/ 0% packet loss/);
  });

  it('have nothing of networks they are not in', async () => {
    const db = await placed(cluster, 'db', 2);
    for (const { place } of web) {
      expect(await place.lookup('db', 'tasks.db')).toEqual({
        db: expect.stringMatching(/^E/),
        'tasks.db': expect.stringMatching(/^E/),
      });
      const [outcome] = await place.get(`http://${db[0]?.addresses['back']}/`);
      expect(outcome).toMatch(/^(TIMEOUT|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED)$/);
    }
  });

  it('send full packets from node to node unfragmented', async () => {
    const [client] = clients;
    const far = web.find(({ node }) => node !== client?.node);
    const address = far?.addresses['front'] ?? '';
    const interior = ['exec', client?.containerId ?? '', 'cat', '/sys/class/net/eth0/mtu'];
    expect(await cluster.dockerOn(client?.node ?? '', ...interior)).toBe('1450');
    const capture = await Capture.start(
      cluster.machines,
      client?.node ?? '',
      'ip[6:2] & 0x3fff != 0',
    );
    for (const bytes of [1_400, 1_450 - 28]) {
      expect(await client?.place.datagram(address, 80, bytes)).toMatchObject({ bytes });
    }
    expect(await client?.place.put(`http://${address}/`, 3_000_000)).toMatchObject({
      bytes: 3_000_000,
    });
    expect(await capture.stop()).toBe('');
    expect(await client?.place.datagram(address, 80, 5_000)).toMatchObject({ bytes: 5_000 });
  });

  it('speak to other nodes through a tunnel on the port of the swarm', async () => {
    const [near, far] = clients;
    const tunnel = `udp dst port ${TUNNEL_PORT} and src host ${await cluster.machines.address(near?.node ?? '')}`;
    const capture = await Capture.start(cluster.machines, near?.node ?? '', tunnel);
    await near?.place.get(`http://${far?.addresses['back']}/`);
    const seen = await until(
      async () => capture.seen,
      (text) => text.includes('GET / HTTP'),
    );
    expect(seen).toMatch(/VXLAN|OTV|UDP/);
    await capture.stop();
  });

  it('reach the outside under the address of their node', async () => {
    const server = await listen();
    const { port } = server.address() as { port: number };
    for (const { node, place } of clients) {
      const [answer] = await place.get(`http://${outside}:${port}/`);
      expect(answer).toMatchObject({ from: await cluster.machines.address(node) });
    }
    server.close();
  });

  it('are shown with their endpoints by inspect --verbose', async () => {
    const { Services } = await inspect('front', 'node1', '--verbose');
    expect(Services.web).toMatchObject({ VIP: await virtualIp(cluster, 'web', 'front') });
    const shown = Services.web.Tasks.map((task: { EndpointIP: string }) => task.EndpointIP);
    expect(shown.sort()).toEqual(web.map(({ addresses }) => addresses['front']).sort());
  });

  it('keep their network from being removed', async () => {
    expect(await cluster.fails('network', 'rm', 'back')).toMatch(
      /network \S+ is in use by (service|task) \S+/,
    );
  });

  it('lose and gain networks by an update', async () => {
    await cluster.update('--network-add', 'back', '--network-rm', 'front', 'web');
    const moved = await until(
      async () =>
        (await placed(cluster, 'web', 3)).map(({ addresses }) => Object.keys(addresses).join()),
      (networks) => networks.join() === 'back,back,back',
    );
    expect(moved).toHaveLength(3);
    const address = await virtualIp(cluster, 'web', 'back');
    const [client] = clients;
    await until(
      async () => await client?.place.lookup('web', 'site'),
      (found) => found?.web[0] === address && typeof found?.site === 'string',
    );
    expect(answerers((await client?.place.get('http://web/', 40)) ?? [])).toHaveLength(3);
  });

  it('leave nothing behind', async () => {
    await cluster.remove('web', 'clients', 'db');
    await removeNetwork('front', 'back');
    for (const node of NODES) {
      const left = await cluster.machines.ssh(node, 'ls /run/skep/netns; ip -br link');
      expect(left.match(/^ov-/gm) ?? []).toHaveLength(1); // of the ingress network
    }
  });
});

/** A server on this host that tells whom it sees. */
async function listen(): Promise<Server> {
  const server = createServer(({ socket }, answer) => {
    answer.end(JSON.stringify({ from: socket.remoteAddress }));
  });
  await new Promise<void>((resolve) => server.listen(0, outside, resolve));
  return server;
}

describe('an internal network', () => {
  it('joins nodes, and lets nothing out', async () => {
    await createNetwork('--internal', '--subnet', '10.81.0.0/24', 'hidden');
    await cluster.create('--name', 'cell', '--mode', 'global', '--network', 'hidden', ...probe());
    const cells = await placed(cluster, 'cell', 3);
    const server = await listen();
    const { port } = server.address() as { port: number };
    const filter = `(tcp or udp or icmp) and (net 10.81.0.0/24 or tcp port ${port})`;
    const captures = await Promise.all(
      NODES.map((node) => Capture.start(cluster.machines, node, filter)),
    );
    for (const { place } of cells) {
      expect(answerers(await place.get('http://cell/', 40))).toHaveLength(3);
      const [byTcp] = await place.get(`http://${outside}:${port}/`);
      const [byUdp] = await place.udp(outside, port);
      for (const refused of [byTcp, byUdp]) {
        expect(refused).toMatch(/^(ENETUNREACH|EHOSTUNREACH|TIMEOUT)$/);
      }
      expect(await place.lookup('outside.example')).toEqual({
        'outside.example': expect.stringMatching(/^E/),
      });
    }
    for (const capture of captures) expect(await capture.stop()).toBe('');
    server.close();
    await cluster.remove('cell');
    await removeNetwork('hidden');
  });
});

describe('containers of one node', () => {
  const run = (node: string, ...words: string[]) =>
    cluster.dockerOn(node, 'run', '-d', '--stop-timeout', '1', ...words);

  beforeAll(async () => {
    await createNetwork('--attachable', 'open');
    await createNetwork('closed');
    await cluster.create('--name', 'web', '--replicas', '2', '--network', 'open', ...probe());
    await placed(cluster, 'web', 2);
  });
  afterAll(async () => {
    await cluster.remove('web');
    await removeNetwork('open', 'closed');
  });

  it('join an attachable network from any node, find others there, and are found', async () => {
    const places = new Map<string, Place>();
    for (const node of NODES) {
      const flags = ['--name', `on-${node}`, '--network', 'open', '--network-alias', `the-${node}`];
      const id = await run(node, ...flags, ...probe([], node));
      places.set(node, Place.container(cluster.machines, node, id));
    }
    for (const place of places.values()) {
      expect(answerers(await place.get('http://web/', 30))).toHaveLength(2);
      for (const node of NODES) {
        expect(answerers(await place.get(`http://on-${node}/`))).toEqual([node]);
        expect(answerers(await place.get(`http://the-${node}/`))).toEqual([node]);
      }
    }
    const [task] = await placed(cluster, 'web', 2);
    expect(answerers((await task?.place.get('http://on-node3/')) ?? [])).toEqual(['node3']);
    for (const node of NODES) await cluster.dockerOn(node, 'rm', '-f', `on-${node}`);
    await until(
      async () => await task?.place.lookup('on-node3'),
      (found) => typeof found?.['on-node3'] === 'string',
    );
  });

  it('are connected and disconnected while they run', async () => {
    const id = await run('node2', '--name', 'guest', ...probe([], 'guest'));
    const place = Place.container(cluster.machines, 'node2', id);
    expect(await place.lookup('web')).toEqual({ web: expect.stringMatching(/^E/) });
    await cluster.dockerOn('node2', 'network', 'connect', '--alias', 'friend', 'open', 'guest');
    expect(answerers(await place.get('http://web/', 30))).toHaveLength(2);
    const [task] = await placed(cluster, 'web', 2);
    expect(answerers((await task?.place.get('http://friend/')) ?? [])).toEqual(['guest']);
    await cluster.dockerOn('node2', 'network', 'disconnect', 'open', 'guest');
    expect(await place.lookup('web')).toEqual({ web: expect.stringMatching(/^E/) });
    await cluster.dockerOn('node2', 'rm', '-f', 'guest');
  });

  it('are kept from networks that are not attachable', async () => {
    const refused = ['run', '--rm', '--network', 'closed', IMAGE, 'true'];
    expect(await cluster.machines.dockerFails('node2', ...refused)).toContain(
      'Could not attach to network closed: rpc error: code = PermissionDenied desc = network closed not manually attachable',
    );
  });
});

describe('names', () => {
  it('are gone within a second of the end of a task, and there within one of its start', async () => {
    await createNetwork('quick');
    await cluster.create('--name', 'eye', '--network', 'quick', ...probe());
    const delay = ['--restart-delay', '2s', '--constraint', 'node.hostname==node2'];
    await cluster.create('--name', 'web', ...delay, '--network', 'quick', ...IDLE);
    const [eye] = await placed(cluster, 'eye', 1);
    const [task] = await placed(cluster, 'web', 1);
    const own = { 'tasks.web': [task?.addresses['quick']] };
    expect(await eye?.place.lookup('tasks.web')).toEqual(own);
    const watched = eye?.place.absence('tasks.web');
    await cluster.dockerOn('node2', 'kill', task?.containerId ?? '');
    const [next] = await until(
      () => placed(cluster, 'web', 1),
      ([now]) => now?.id !== task?.id,
    );
    const at = async (field: string, id = '') =>
      Date.parse(await cluster.dockerOn('node2', 'inspect', '-f', `{{.State.${field}}}`, id));
    const { goneAtMs = 0, backAtMs = 0 } = (await watched) ?? {};
    expect(goneAtMs - (await at('FinishedAt', task?.containerId))).toBeLessThan(1_000);
    expect(backAtMs - (await at('StartedAt', next?.containerId))).toBeLessThan(1_000);
    expect(backAtMs - goneAtMs).toBeGreaterThan(1_000);
    await cluster.remove('eye', 'web');
    await removeNetwork('quick');
  });

  it('of the outside are asked where --dns says, and of others where --host says', async () => {
    await createNetwork('asking');
    const long = Array.from({ length: 90 }, (_, n) => `198.51.100.${n + 100}`);
    const server = await NameServer.start(outside, {
      'shop.example': ['198.51.100.7'],
      'long.example': long, // fits no datagram: it is asked again by TCP
    });
    const names = ['--dns', outside, '--dns-search', 'example', '--host', 'fixed:198.51.100.8'];
    await cluster.create('--name', 'eye', '--network', 'asking', ...names, ...probe());
    const [eye] = await placed(cluster, 'eye', 1);
    expect(await eye?.place.lookup('shop.example', 'long.example', 'none.example')).toEqual({
      'shop.example': ['198.51.100.7'],
      'long.example': long,
      'none.example': 'ENOTFOUND',
    });
    const files = ['exec', eye?.containerId ?? '', 'cat', '/etc/hosts', '/etc/resolv.conf'];
    const shown = await cluster.dockerOn(eye?.node ?? '', ...files);
    expect(shown).toMatch(/^198\.51\.100\.8\s+fixed$/m);
    expect(shown).toMatch(/^nameserver 127\.0\.0\.11$/m);
    expect(shown).toMatch(/^search example$/m);
    await server.stop();
    await cluster.remove('eye');
    await removeNetwork('asking');
  });
});

describe('a subnet that is full', () => {
  it('says so in the task, and serves it once an address is free', async () => {
    await createNetwork('--subnet', '10.82.0.0/28', 'tiny');
    await cluster.create('--name', 'many', '--replicas', '12', '--network', 'tiny', ...IDLE);
    const waiting = await until(
      () => cluster.tasks('many'),
      (tasks) => tasks.some(({ Status }) => Status.Err !== undefined),
    );
    const errors = waiting.flatMap(({ Status }) => Status.Err ?? []);
    expect([...new Set(errors)]).toEqual(['network tiny is full: 14 of 14 addresses in use']);
    await cluster.docker('service', 'scale', '-d', 'many=2');
    await cluster.running('many', 2);
    await cluster.create('--name', 'later', '--network', 'tiny', ...IDLE);
    await cluster.running('later', 1);
    await cluster.remove('many', 'later');
    await removeNetwork('tiny');
  });
});
