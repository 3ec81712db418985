import { closeSync, openSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_ADDRESS,
  HOST_ADDRESS,
  INGRESS,
  NetworkLab,
  plain,
  published,
  task,
} from './support/network-lab.ts';

const at = (HostPort: string, HostIp = '') => [{ HostIp, HostPort }];

describe('the network of one node, on the real kernel', () => {
  let lab: NetworkLab;
  beforeAll(async () => {
    lab = await NetworkLab.start();
    await lab.network.networking.restore([]);
    await lab.tellAll();
  });
  afterAll(() => lab?.cleanUp());

  describe('a plain container', () => {
    let server: string;
    let neighbour: string;
    beforeAll(async () => {
      const { networking } = lab.network;
      const ports = {
        '80/tcp': [...at('8080'), ...at('')],
        '80/udp': at('8080'),
        '81/tcp': at('8181', '127.0.0.1'),
      };
      server = (await networking.setUp(plain('server', ports))).netnsPath;
      neighbour = (await networking.setUp(plain('neighbour'))).netnsPath;
      await lab.serve(server, 80, 'server');
      await lab.serve(server, 81, 'private');
      await lab.serve(lab.client, 7000, 'world');
    });
    afterAll(async () => {
      for (const id of ['server', 'neighbour']) await lab.network.networking.tearDown(id);
    });

    it('reaches the world under the host’s address', async () => {
      expect(await lab.ask(server, CLIENT_ADDRESS, 7000)).toBe(`world ${HOST_ADDRESS}`);
      expect(await lab.ask(server, CLIENT_ADDRESS, 7000, 'udp')).toBe(`world ${HOST_ADDRESS}`);
    });

    it('answers on its port from outside, seeing the client, by TCP and UDP', async () => {
      expect(await lab.ask(lab.client, HOST_ADDRESS, 8080)).toBe(`server ${CLIENT_ADDRESS}`);
      expect(await lab.ask(lab.client, HOST_ADDRESS, 8080, 'udp')).toBe(`server ${CLIENT_ADDRESS}`);
    });

    it('answers on the host’s own addresses, loopback among them', async () => {
      expect(await lab.ask('', '127.0.0.1', 8080)).toMatch(/^server /);
      expect(await lab.ask('', HOST_ADDRESS, 8080)).toBe(`server ${HOST_ADDRESS}`);
      expect(await lab.ask('', '127.0.0.1', 8080, 'udp')).toMatch(/^server /);
    });

    it('answers a neighbour, and itself, through the host’s port', async () => {
      expect(await lab.ask(neighbour, HOST_ADDRESS, 8080)).toMatch(/^server /);
      expect(await lab.ask(server, HOST_ADDRESS, 8080)).toMatch(/^server /);
      expect(await lab.ask(neighbour, '172.17.0.2', 80)).toBe('server 172.17.0.3');
    });

    it('answers on one address only when told so', async () => {
      expect(await lab.ask('', '127.0.0.1', 8181)).toMatch(/^private /);
      expect(await lab.ask(lab.client, HOST_ADDRESS, 8181)).toBe('ECONNREFUSED');
    });

    it('is not reached past its ports, and does not reach the host’s loopback', async () => {
      await lab.shell(`nsenter --net=${lab.client} ip route add 172.17.0.0/16 via ${HOST_ADDRESS}`);
      expect(await lab.ask(lab.client, '172.17.0.2', 81)).toBe('timeout');
      const secret = createServer((socket) => socket.end('secret'));
      await new Promise<void>((resolve) => secret.listen(6000, '127.0.0.1', resolve));
      await lab.shell(
        `nsenter --net=${neighbour} sh -ec 'ip addr del 127.0.0.1/8 dev lo; ` +
          `echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ` +
          `ip route add 127.0.0.1/32 via 172.17.0.1; ` +
          `ip route flush table local 127.0.0.0/8 || true'`,
      );
      expect(await lab.ask(neighbour, '127.0.0.1', 6000)).not.toMatch(/secret/);
      secret.close();
    });

    it('keeps its ports from other containers and from other programs', async () => {
      const { networking } = lab.network;
      await expect(networking.setUp(plain('x', { '80/tcp': at('8080') }))).rejects.toThrow(
        'Bind for 0.0.0.0:8080 failed: port is already allocated',
      );
      const other = createServer();
      const failed = new Promise((resolve) => other.once('error', resolve));
      other.listen(8080, '0.0.0.0');
      expect(await failed).toMatchObject({ code: 'EADDRINUSE' });
      const program = createServer();
      await new Promise<void>((resolve) => program.listen(8282, '0.0.0.0', resolve));
      await expect(networking.setUp(plain('x', { '80/tcp': at('8282') }))).rejects.toThrow(
        'listen tcp4 0.0.0.0:8282: bind: address already in use',
      );
      program.close();
    });
  });

  describe('the routing mesh', () => {
    const ids = ['t1', 't2', 't3'];
    const addressOf = (id: string) => `10.0.0.${10 + ids.indexOf(id)}`;
    const paths: Record<string, string> = {};
    beforeAll(async () => {
      for (const id of ids) {
        const state = await lab.network.networking.setUp(task(id, addressOf(id)));
        paths[id] = state.netnsPath;
        await lab.serve(state.netnsPath, 8000, id);
        await lab.tellReady(published(id, addressOf(id)));
      }
    });
    afterAll(async () => {
      for (const id of ids) await lab.tellGone(id);
      for (const id of ids) await lab.network.networking.tearDown(id);
    });

    it('shows tasks the client’s own address, by TCP and UDP', async () => {
      for (const protocol of ['tcp', 'udp']) {
        const answer = await lab.ask(lab.client, HOST_ADDRESS, 9090, protocol);
        expect(answer).toMatch(new RegExp(`^t[123] ${CLIENT_ADDRESS}$`));
      }
    });

    it('spreads connections evenly over the tasks', async () => {
      const counts: Record<string, number> = { t1: 0, t2: 0, t3: 0 };
      for (let round = 0; round < 300; round++) {
        const name = await firstWord(HOST_ADDRESS, 9090);
        counts[name] = (counts[name] ?? 0) + 1;
      }
      // Three tasks, 300 draws: below 60 for one of them is a chance of 1 in a million.
      for (const count of Object.values(counts)) expect(count).toBeGreaterThan(60);
    });

    it('answers on loopback, from a plain container, and from the tasks themselves', async () => {
      expect(await lab.ask('', '127.0.0.1', 9090)).toMatch(/^t[123] /);
      const visitor = await lab.network.networking.setUp(plain('visitor'));
      const seen = await lab.ask(visitor.netnsPath, HOST_ADDRESS, 9090);
      expect(seen).toMatch(/^t[123] 172\.17\./);
      await lab.network.networking.tearDown('visitor');
      for (let round = 0; round < 8; round++) {
        expect(await lab.ask(paths['t1'] ?? '', HOST_ADDRESS, 9090)).toMatch(/^t[123] /);
      }
    });

    it('lets tasks out, and keeps them apart on their way out', async () => {
      expect(await lab.ask(paths['t1'] ?? '', CLIENT_ADDRESS, 7000)).toBe(`world ${HOST_ADDRESS}`);
      const second = await lab.shell(
        `nsenter --net=${paths['t2']} ip -o -4 addr show dev eth1 | ` +
          `sed 's/.*inet \\([0-9.]*\\).*/\\1/'`,
      );
      expect(second).toMatch(/^172\./);
      expect(await lab.ask(paths['t1'] ?? '', second, 8000)).not.toMatch(/^t2/);
    });

    it('binds a task’s own port, reached from outside, a neighbour and itself', async () => {
      const ports = { '8000/tcp': at('8686') };
      const request = { ...task('own', '10.0.0.50'), ports };
      const { netnsPath } = await lab.network.networking.setUp(request);
      await lab.serve(netnsPath, 8000, 'own');
      expect(await lab.ask(lab.client, HOST_ADDRESS, 8686)).toBe(`own ${CLIENT_ADDRESS}`);
      expect(await lab.ask(paths['t1'] ?? '', HOST_ADDRESS, 8686)).toMatch(/^own /);
      expect(await lab.ask(netnsPath, HOST_ADDRESS, 8686)).toMatch(/^own /);
      await lab.network.networking.tearDown('own');
      expect(await lab.ask(lab.client, HOST_ADDRESS, 8686)).toBe('ECONNREFUSED');
    });

    it('lets connections go on when their task leaves, and sends new ones elsewhere', async () => {
      const socket = connect(9090, HOST_ADDRESS);
      const name = await new Promise<string>((resolve) =>
        socket.once('data', (data) => resolve(String(data).split(' ')[0] ?? '')),
      );
      await lab.tellReady(published(name, addressOf(name)), false);
      const echoed = new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
      socket.write('still here');
      expect(await echoed).toBe('still here');
      for (let round = 0; round < 20; round++) {
        expect(await firstWord(HOST_ADDRESS, 9090)).not.toBe(name);
      }
      socket.destroy();
      await lab.tellReady(published(name, addressOf(name)));
    });

    it('survives a restart of the daemon without cutting a connection', async () => {
      const socket = connect(9090, HOST_ADDRESS);
      await new Promise((resolve) => socket.once('data', resolve));
      const requests = ids.map((id) => task(id, addressOf(id)));
      const states = new Map(requests.map((request) => [request.containerId, request]));
      const known = ids.map((id) => ({
        request: states.get(id) ?? plain(id),
        state: stateOf(paths[id] ?? '', addressOf(id)),
      }));
      const stray = await lab.network.networking.setUp(plain('stray', { '80/tcp': at('8383') }));
      await lab.network.close();
      const network = await lab.boot();
      await network.networking.restore(known);
      await lab.tellAll();
      const echoed = new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
      socket.write('same');
      expect(await echoed).toBe('same');
      socket.destroy();
      expect(await lab.ask(lab.client, HOST_ADDRESS, 9090)).toMatch(/^t[123] /);
      expect(await lab.ask(lab.client, HOST_ADDRESS, 8383)).toBe('ECONNREFUSED');
      expect(await lab.shell(`test -e ${stray.netnsPath} || echo gone`)).toBe('gone');
    });

    it('resets connections whose task has vanished', async () => {
      const socket = connect(9090, HOST_ADDRESS);
      const name = await new Promise<string>((resolve) =>
        socket.once('data', (data) => resolve(String(data).split(' ')[0] ?? '')),
      );
      await lab.network.networking.tearDown(name);
      await lab.tellGone(name);
      const ended = new Promise((resolve) => {
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      });
      socket.write('anybody?');
      expect(await ended).toBe('ECONNRESET');
    });

    it('refuses at once when no task is left', async () => {
      for (const id of ids) await lab.tellGone(id);
      expect(await lab.ask(lab.client, HOST_ADDRESS, 9090)).toBe('ECONNREFUSED');
      expect(await lab.ask('', '127.0.0.1', 9090)).toBe('ECONNREFUSED');
    });
  });

  it('works in a process with thousands of open files', async () => {
    const open = Array.from({ length: 3_000 }, () => openSync('/dev/null', 'r'));
    await lab.tellNothing();
    await lab.tellAll();
    const state = await lab.network.networking.setUp(task('late', '10.0.0.60'));
    await lab.serve(state.netnsPath, 8000, 'late');
    await lab.tellReady(published('late', '10.0.0.60'));
    expect(await lab.ask(lab.client, HOST_ADDRESS, 9090)).toBe(`late ${CLIENT_ADDRESS}`);
    await lab.tellGone('late');
    await lab.network.networking.tearDown('late');
    for (const fd of open) closeSync(fd);
  });

  it('leaves nothing in the kernel when all is removed', async () => {
    await lab.network.networking.setUp(plain('last', { '80/tcp': at('8484') }));
    await lab.network.close({ removeAll: true });
    expect(await lab.shell('nft list ruleset')).toBe('');
    expect(await lab.shell('ip -o link | grep -c skep || true')).toBe('0');
    expect(await lab.shell(`grep -c ${lab.directory} /proc/self/mounts || true`)).toBe('0');
    await lab.boot();
  });

  it('refuses a second daemon with the same names', async () => {
    const first = lab.network;
    await expect(lab.boot()).rejects.toThrow('another daemon manages the networks named skep*');
    lab.network = first;
  });
});

/** The name of the task that a connection from this process got. */
function firstWord(address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address);
    socket.once('error', reject);
    socket.once('data', (data) => {
      resolve(String(data).split(' ')[0] ?? '');
      socket.destroy();
    });
  });
}

/** What a container's record would hold after a restart. */
function stateOf(netnsPath: string, address: string) {
  const digits = netnsPath.slice(netnsPath.lastIndexOf('/') + 1);
  const IPAddress = address;
  const endpoint = { NetworkID: INGRESS.id, EndpointID: 'e', Gateway: '', IPAddress };
  const empty = { IPPrefixLen: 24, IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0 };
  const rest = { MacAddress: '', Aliases: null, IPAMConfig: null, Links: null, DriverOpts: null };
  return {
    sandboxId: digits.padEnd(64, '0'),
    netnsPath,
    endpoints: { ingress: { ...endpoint, ...empty, ...rest } },
    ports: {},
    nameservers: [],
  };
}
