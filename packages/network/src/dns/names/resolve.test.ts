import { describe, expect, it } from 'vitest';
import type { AttachedSandbox } from '../../sandbox/contract.js';
import type { TableUpdate } from '../../tables/contract.js';
import { endpointOf, networkOf, serviceOf, updateOf } from '../../tables/objects.sim.js';
import { Tables } from '../../tables/tables.js';
import { attachedOf, sandboxOf } from '../asker.sim.js';
import { RecordType } from '../message/codes.js';
import { readName } from '../message/name.js';
import { askerOf } from './asker.js';
import { NameIndex } from './name-index.js';
import { resolve } from './resolve.js';

const task = (id: string, more: Parameters<typeof endpointOf>[1] = {}) =>
  endpointOf(id, { serviceId: 'web', name: `web.${id.slice(1)}.${id}`, ...more });

/** A container of its own with this alias. */
const named = (alias: string) => [
  endpointOf('a9', { name: 'tool', addresses: ['10.0.1.19/24'], aliases: [alias] }),
];

const OTHER = { subnet: '10.0.2.0/24', gateway: '10.0.2.1', vni: 4098 };

/** Two services on `net`, one with a virtual address; one on `other`; one published. */
const SWARM: Partial<TableUpdate> = {
  complete: true,
  networks: [
    networkOf('net', { name: 'Shop_default' }),
    networkOf('other', { subnets: [OTHER] }),
    networkOf('mesh', { ingress: true }),
  ],
  services: [
    serviceOf('web', { name: 'shop_Web', aliases: ['web'] }),
    serviceOf('db', { virtualIp: '' }),
    serviceOf('cache', { networkId: 'other', virtualIp: '10.0.2.100' }),
    serviceOf('db2', { networkId: 'other', name: 'db', virtualIp: '10.0.2.101' }),
    serviceOf('edge', { networkId: 'mesh', virtualIp: '10.9.0.100' }),
  ],
  endpoints: [
    task('t1', { aliases: ['abcdef012345'] }),
    task('t2', { addresses: ['10.0.1.12/24', 'fd00::12/64'] }),
    task('t3', { ready: false }),
    endpointOf('d1', { serviceId: 'db', name: 'db.1.d1', addresses: ['10.0.1.21/24'] }),
    endpointOf('d2', { serviceId: 'db', name: 'db.2.d2', addresses: ['10.0.1.22/24'] }),
    endpointOf('a9', { name: 'Tool', addresses: ['10.0.1.19/24'], slot: 0, aliases: ['helper'] }),
    endpointOf('a8', { name: 'tool2', addresses: ['10.0.1.18/24'], slot: 0, aliases: ['helper'] }),
  ],
};

async function swarm(sandbox: AttachedSandbox = sandboxOf(), update = SWARM) {
  const tables = new Tables();
  const index = new NameIndex();
  tables.addReader(index);
  await tables.update(updateOf(1n, update));
  const ask = (name: string, type: number = RecordType.A) => {
    const answer = resolve({ name, type }, askerOf(sandbox), index);
    return answer.kind === 'records' ? answer.records.map(text) : answer.kind;
  };
  return { tables, ask };
}

function text({ type, data }: { type: number; data: Uint8Array }): string {
  const bytes = Buffer.from(data);
  if (type === RecordType.A) return bytes.join('.');
  if (type === RecordType.PTR) return readName(bytes, 0)?.text ?? '';
  return bytes.toString('hex');
}

const ON_ALL = sandboxOf({
  networks: [
    attachedOf('mesh', '10.9.0.5/24', { ingress: true }),
    attachedOf('net', '10.0.1.11/24', { networkName: 'Shop_default' }),
    attachedOf('other', '10.0.2.11/24'),
  ],
});

describe('names', () => {
  it.each([
    ['a service', 'shop_web', ['10.0.1.100']],
    ['its alias', 'web', ['10.0.1.100']],
    ['its tasks', 'tasks.shop_web', ['10.0.1.11', '10.0.1.12']],
    ['its tasks by alias', 'tasks.web', ['10.0.1.11', '10.0.1.12']],
    ['a service without a virtual address', 'db', ['10.0.1.21', '10.0.1.22']],
    ['a container', 'web.2.t2', ['10.0.1.12']],
    ['a container by its short id', 'abcdef012345', ['10.0.1.11']],
    ['an alias of several containers', 'helper', ['10.0.1.19', '10.0.1.18']],
    ['an attached container, whatever its case', 'tool', ['10.0.1.19']],
    ['a slot', 'web.2', ['10.0.1.12']],
    ['a slot by the full name', 'shop_web.1', ['10.0.1.11']],
    ['a slot whose task is not ready', 'web.3', 'empty'],
    ['a slot of a service without a virtual address', 'db.2', ['10.0.1.22']],
    ['a container that is not ready', 'web.3.t3', 'empty'],
    ['a name of another network', 'cache', 'outside'],
    ['a name nobody has', 'nothing', 'outside'],
    ['a name of the world', 'example.org', 'outside'],
    ['the root', '', 'outside'],
    ['a slot of nothing', 'nothing.1', 'outside'],
    ['a number alone', '1', 'outside'],
  ])('of %s', async (_, name, expected) => {
    const { ask } = await swarm();
    expect(ask(name)).toEqual(expected);
  });

  it.each([
    ['in the order of the networks', 'db', ['10.0.1.21', '10.0.1.22']],
    ['with the network', 'db.other', ['10.0.2.101']],
    ['with the network, in any case', 'db.shop_default', ['10.0.1.21', '10.0.1.22']],
    ['of tasks with the network', 'tasks.web.shop_default', ['10.0.1.11', '10.0.1.12']],
    ['of slots with the network', 'web.2.shop_default', ['10.0.1.12']],
    ['of the ingress network, after all others', 'edge', ['10.9.0.100']],
    ['of a network it is not on', 'db.third', 'outside'],
    ['that the network does not have', 'nothing.other', 'outside'],
  ])('%s', async (_, name, expected) => {
    const { ask } = await swarm(ON_ALL);
    expect(ask(name)).toEqual(expected);
  });

  it('of a service are not mixed with the same host name of its tasks', async () => {
    const aliases = ['web', 'all'];
    const endpoints = [task('t1', { aliases }), task('t2', { aliases }), ...named('web')];
    const { ask } = await swarm(sandboxOf(), { ...SWARM, endpoints });
    expect(ask('web')).toEqual(['10.0.1.100', '10.0.1.19']);
    expect(ask('all')).toEqual(['10.0.1.11', '10.0.1.12']);
  });

  it('of the container itself are known before it is ready', async () => {
    const aliases = ['me', 'web'];
    const networks = [attachedOf('net', '10.0.1.77/24', { aliases })];
    const { ask } = await swarm(sandboxOf({ name: 'web.3.t3', networks }));
    expect(ask('box')).toEqual(['10.0.1.77']);
    expect(ask('c10000000000')).toEqual(['10.0.1.77']);
    expect(ask('web.3.t3')).toEqual(['10.0.1.77']);
    expect(ask('me')).toEqual(['10.0.1.77']);
    // What the service is called stays the service's.
    expect(ask('web')).toEqual(['10.0.1.100']);
  });

  it('without an address of the kind that is asked for are there all the same', async () => {
    const { ask } = await swarm();
    expect(ask('web', RecordType.AAAA)).toBe('empty');
    expect(ask('web', 15)).toBe('empty');
    expect(ask('web', RecordType.PTR)).toBe('empty');
    expect(ask('example.org', RecordType.AAAA)).toBe('outside');
  });

  it('of both kinds', async () => {
    const { ask } = await swarm();
    const ipv6 = `fd00${'0'.repeat(26)}12`;
    expect(ask('web.2.t2', RecordType.AAAA)).toEqual([ipv6]);
    expect(ask('web.2.t2', RecordType.ANY)).toEqual(['10.0.1.12', ipv6]);
  });

  it('without a dot are kept where the container set ndots', async () => {
    const names = { hostname: 'box', servers: [], search: [], options: ['ndots:2'] };
    const { ask } = await swarm(sandboxOf({ names }));
    expect(ask('nothing')).toBe('empty');
    expect(ask('nothing', RecordType.AAAA)).toBe('empty');
    expect(ask('nothing', 16)).toBe('outside');
    expect(ask('example.org')).toBe('outside');
  });

  it('change with the tables, in the same turn', async () => {
    const { tables, ask } = await swarm();
    const endpoints = [task('t1', { ready: false }), task('t4')];
    const gone = [
      { table: 'endpoint', networkId: 'net', id: 'd1' },
      { table: 'service', networkId: 'net', id: 'web' },
    ] as const;
    const services = [serviceOf('db', { name: 'data', virtualIp: '10.0.1.200' })];
    void tables.update(updateOf(2n, { endpoints, services, gone: [...gone] }));
    expect(ask('web')).toBe('outside');
    expect(ask('web.4.t4')).toEqual(['10.0.1.14']);
    expect(ask('web.1.t1')).toBe('empty');
    expect(ask('db')).toBe('outside');
    expect(ask('db.1.d1')).toBe('outside');
    expect(ask('data')).toEqual(['10.0.1.200']);
    expect(ask('tasks.data')).toEqual(['10.0.1.22']);
    await tables.update(updateOf(3n, { gone: [{ table: 'network', networkId: 'net', id: '' }] }));
    expect(ask('data')).toBe('not-known-yet');
  });

  it('wait for the tables where they could be in them', async () => {
    const { ask } = await swarm(sandboxOf(), { complete: true });
    expect(ask('db')).toBe('not-known-yet');
    expect(ask('db.net')).toBe('not-known-yet');
    expect(ask('box')).toEqual(['10.0.1.11']);
    expect(ask('example.org')).toBe('outside');
  });
});

describe('addresses', () => {
  it.each([
    ['a task', '12.1.0.10.in-addr.arpa', ['web.2.t2.shop_default']],
    ['a task that is not ready', '13.1.0.10.in-addr.arpa', ['web.3.t3.shop_default']],
    ['a service', '100.1.0.10.in-addr.arpa', ['shop_web.shop_default']],
    ['nobody, in a network of ours', '200.1.0.10.in-addr.arpa', 'no-such-name'],
    ['another network', '100.2.0.10.in-addr.arpa', 'outside'],
    ['the world', '1.1.1.1.in-addr.arpa', 'outside'],
    ['nobody: too few numbers', '1.0.10.in-addr.arpa', 'outside'],
    ['nobody: too large a number', '1.1.0.999.in-addr.arpa', 'outside'],
    ['IPv6', `2.1.${'0.'.repeat(26)}0.0.d.f.ip6.arpa`, ['web.2.t2.shop_default']],
  ])('of %s', async (_, name, expected) => {
    const { ask } = await swarm();
    expect(ask(name, RecordType.PTR)).toEqual(expected);
  });

  it('that go to another task are its own, in whichever order that is told', async () => {
    const { tables, ask } = await swarm();
    const addresses = ['10.0.1.12/24'];
    await tables.update(updateOf(2n, { endpoints: [task('t9', { addresses })] }));
    const gone = [{ table: 'endpoint', networkId: 'net', id: 't2' } as const];
    await tables.update(updateOf(3n, { gone }));
    expect(ask('12.1.0.10.in-addr.arpa', RecordType.PTR)).toEqual(['web.9.t9.shop_default']);
  });

  it('that are none are left out', async () => {
    const endpoints = [task('t1', { addresses: ['', 'x', '10.0.1.300/24', 'fe80::1%eth0/64'] })];
    const { ask } = await swarm(sandboxOf(), { ...SWARM, endpoints });
    expect(ask('web.1.t1')).toBe('empty');
  });
});
