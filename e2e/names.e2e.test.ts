import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from './support/exec.ts';
import { boxIn, NamesLab } from './support/names-lab.ts';

/** The name server in containers on the real kernel, asked by busybox and by the C library. */

let lab: NamesLab;
let box: string;

const SERVICE = { networkId: 'net', aliases: [], clientAffinity: false };
const TASKS = Array.from({ length: 100 }, (_, place) => ({
  ...{ networkId: 'net', id: `t${place}`, nodeId: 'n1', serviceId: 'many', slot: place + 1 },
  ...{ name: `many.${place + 1}.t${place}`, aliases: [], ready: true, ports: [] },
  addresses: [`10.0.1.${100 + place}/24`],
}));
const TABLES = {
  version: 1n,
  complete: true,
  networks: [
    {
      ...{ id: 'net', name: 'net', mtuBytes: 0, encrypted: false, internal: false, ingress: false },
      subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4_097 }],
      nodeAddress: '10.0.1.2/24',
    },
  ],
  nodes: [],
  services: [
    { ...SERVICE, serviceId: 'web', name: 'web', virtualIp: '10.0.1.50' },
    { ...SERVICE, serviceId: 'many', name: 'many', virtualIp: '' },
  ],
  endpoints: TASKS,
  gone: [],
};

/** What busybox says of a name: the addresses, or its complaint. */
async function lookUp(namespace: string, name: string, server = '127.0.0.11'): Promise<string> {
  const { stdout, stderr } = await lab.run(namespace, 'busybox', 'nslookup', name, server);
  const answer = stdout.split('\n\n').slice(1).join('\n');
  const addresses = [...answer.matchAll(/^Address:\s*(\S+)$/gm)].map(([, address]) => address);
  return (
    addresses.join(' ') || (/SERVFAIL|NXDOMAIN|name = \S+/.exec(stdout + stderr)?.[0] ?? stderr)
  );
}

beforeAll(async () => {
  lab = await NamesLab.start();
  await lab.tables.update(TABLES);
  box = await lab.makeNamespace('box');
  await lab.service.added(boxIn(box));
});
afterAll(() => lab?.cleanUp());

describe('names', () => {
  it('are answered to busybox, with the port that was asked', async () => {
    expect(await lookUp(box, 'web')).toBe('10.0.1.50');
    expect(await lookUp(box, 'many.7')).toBe('10.0.1.106');
    expect(await lookUp(box, '10.0.1.50')).toBe('name = web.net');
    expect(await lookUp(box, '10.0.1.250')).toBe('NXDOMAIN');
  });

  it('are answered to the C library, by TCP where there are many addresses', async () => {
    expect((await lab.run(box, 'getent', 'ahosts', 'web')).stdout).toContain('10.0.1.50');
    const many = (await lab.run(box, 'getent', 'ahosts', 'many')).stdout;
    expect(many.match(/STREAM/g)).toHaveLength(100);
    expect((await lab.run(box, 'getent', 'hosts', '10.0.1.50')).stdout).toContain('web.net');
  });

  it('change within the call that changes the tables', async () => {
    const services = [{ ...SERVICE, serviceId: 'new', name: 'new', virtualIp: '10.0.1.60' }];
    const change = {
      ...TABLES,
      version: 2n,
      complete: false,
      networks: [],
      endpoints: [],
      services,
    };
    await lab.tables.update(change);
    expect(await lookUp(box, 'new')).toBe('10.0.1.60');
  });

  it('leave port 53 to the container', async () => {
    const own = await lab.makeNamespace('own');
    await lab.serve(own, '0.0.0.0', '203.0.113.9');
    await lab.service.added(boxIn(own));
    expect(await lookUp(own, 'web')).toBe('10.0.1.50');
    expect(await lookUp(own, 'web', '127.0.0.1')).toBe('203.0.113.9');
  });

  it('track no connections', async () => {
    await lookUp(box, 'web');
    await lab.run(box, 'getent', 'ahosts', 'many');
    const count = '/proc/sys/net/netfilter/nf_conntrack_count';
    expect((await lab.run(box, 'cat', count)).stdout.trim()).toBe('0');
  });

  it('are served again by the next process, with one table and no sockets left', async () => {
    const sockets = async () => (await lab.run(box, 'ss', '-lntuH')).stdout.trim().split('\n');
    expect(await sockets()).toHaveLength(2);
    lab.service.close();
    await until(
      async () => (await sockets()).join(''),
      (text) => text === '',
    );
    const asked = lookUp(box, 'web');
    lab.boot();
    await lab.service.added(boxIn(box));
    // Asked while nobody was there, it is answered all the same.
    expect(await asked).toBe('10.0.1.50');
    expect(await sockets()).toHaveLength(2);
    const { stdout } = await lab.run(box, 'nft', 'list', 'tables');
    expect(stdout.trim()).toBe('table ip lab_dns');
  });
});

describe('names of the world', () => {
  it('are asked of the host’s server on the host’s loopback', async () => {
    await lab.serve('', '127.0.0.53', '203.0.113.1');
    await lab.setHostServer('127.0.0.53');
    await lab.service.added(boxIn(box));
    expect(await lookUp(box, 'example.org')).toBe('203.0.113.1');
    const long = (await lab.run(box, 'getent', 'ahosts', 'long.example.org')).stdout;
    expect(long).toContain('203.0.113.1'); // cut short by UDP, and then asked for by TCP
  });

  it('are asked by IPv6', async () => {
    await lab.serve('', '::1', '203.0.113.6');
    await lab.setHostServer('::1');
    await lab.service.added(boxIn(box));
    expect(await lookUp(box, 'example.org')).toBe('203.0.113.6');
  });

  it('are asked of a container’s own server from within', async () => {
    await lab.serve(box, '127.0.0.5', '203.0.113.5');
    await lab.service.added(boxIn(box, ['127.0.0.4', '127.0.0.5']));
    expect(await lookUp(box, 'example.org')).toBe('203.0.113.5');
    const long = (await lab.run(box, 'getent', 'ahosts', 'long.example.org')).stdout;
    expect(long).toContain('203.0.113.5');
  });

  it('do not leave an internal network', async () => {
    const inner = await lab.makeNamespace('inner', false);
    await lab.setHostServer('127.0.0.53');
    await lab.service.added(boxIn(inner));
    expect(await lookUp(inner, 'example.org')).toBe('SERVFAIL');
    await lab.service.added(boxIn(inner, ['192.0.2.1']));
    expect(await lookUp(inner, 'example.org')).toBe('SERVFAIL');
  });

  it('that nobody answers fail before the client gives up', async () => {
    await lab.service.added(boxIn(box, ['127.0.0.5']));
    const ask = `
      const resolver = new (require('dns').Resolver)({ timeout: 4900, tries: 1 });
      resolver.setServers(['127.0.0.11']);
      resolver.resolve4('lost.example.org', (error) => console.log(error.code));
    `;
    expect((await lab.run(box, process.execPath, '-e', ask)).stdout).toBe('ESERVFAIL\n');
  });
});

describe('sockets', () => {
  it('are closed with their container, whose namespace goes then', async () => {
    const liveAndDie = async (name: string) => {
      const short = await lab.makeNamespace(name);
      await lab.service.added(boxIn(short));
      await lookUp(short, 'web');
      await lab.service.removed(short);
      await lab.removeNamespace(short);
    };
    const open = async () => readdirSync('/proc/self/fd').length;
    await liveAndDie('first');
    const before = await open();
    for (let round = 0; round < 5; round++) await liveAndDie(`next${round}`);
    await until(open, (count) => count <= before);
  });

  it('survive garbage, and clients that keep many connections open', async () => {
    const flood = `
      const udp = require('dgram').createSocket('udp4');
      const bytes = require('crypto').randomBytes;
      for (let round = 0; round < 2000; round++) udp.send(bytes(round % 600 + 1), 53, '127.0.0.11');
      let open = 0, closed = 0;
      for (let round = 0; round < 100; round++) {
        const socket = require('net').connect(53, '127.0.0.11', () => socket.write(bytes(3000)));
        socket.on('error', () => {});
        socket.on('connect', () => open++).on('close', () => closed++);
      }
      setInterval(() => open === 100 && closed >= 36 && process.exit(), 20);
    `;
    const { code } = await lab.run(box, process.execPath, '-e', flood);
    expect(code).toBe(0);
    expect(await lookUp(box, 'web')).toBe('10.0.1.50');
  });
});
