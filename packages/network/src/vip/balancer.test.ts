import { settle } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { SimRefusal } from '../kernel/simulated/refusal.js';
import { RETIRED_VIPS_PER_NETWORK_MAX } from '../limits.js';
import { endpointOf, networkOf, nodeOf, serviceOf } from '../tables/objects.sim.js';
import { attachedOf, SimVips, sandboxOf } from './setup.sim.js';

const VIP = '10.0.1.100';
const web = serviceOf('web', { virtualIp: VIP });
const task = (number: number, more = {}) => endpointOf(`t${number}`, { serviceId: 'web', ...more });

describe('virtual IPs of containers', () => {
  it('lead to the ready tasks, from the first process of a container on', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1), task(2, { ready: false })] });
    await node.attach(sandboxOf('c1'));
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.11'] });
    await node.update({ endpoints: [task(2), task(3)] });
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.11', '10.0.1.12', '10.0.1.13'] });
    await node.update({ gone: [{ table: 'endpoint', networkId: 'net', id: 't1' }] });
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.12', '10.0.1.13'] });
  });

  it('refuse at once while nobody is ready', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1, { ready: false })] });
    await node.attach(sandboxOf('c1'));
    expect(node.balanced('c1')).toEqual({ [VIP]: [] });
    const sets = node.kernel.at('/netns/c1').tables.get('skep')?.sets;
    expect(sets?.get('services')?.elements.get(VIP)).toBe('0');
    expect(sets?.get('picks')?.elements.get('0')).toBe('goto refuse');
  });

  it('are of the networks that the container is on, and never of the routing mesh', async () => {
    const node = new SimVips();
    const other = { networkId: 'other', serviceId: 'db', virtualIp: '10.0.2.100' };
    const mesh = { networkId: 'mesh', serviceId: 'web', virtualIp: '10.0.0.100' };
    await node.complete({
      networks: [networkOf('net'), networkOf('other'), networkOf('mesh', { ingress: true })],
      services: [web, serviceOf('db', other), serviceOf('web', mesh)],
      endpoints: [task(1), endpointOf('d1', { ...other, id: 'd1', addresses: ['10.0.2.5/24'] })],
    });
    await node.attach(sandboxOf('c1', [attachedOf('mesh', { ingress: true })]));
    expect(node.balanced('c1')).toBeUndefined();
    await node.attach(sandboxOf('c2', [attachedOf('net'), attachedOf('other')]));
    expect(node.balanced('c2')).toEqual({ [VIP]: ['10.0.1.11'], '10.0.2.100': ['10.0.2.5'] });
    await node.balancer.changed(sandboxOf('c2', [attachedOf('other')]));
    expect(node.balanced('c2')).toEqual({ '10.0.2.100': ['10.0.2.5'] });
  });

  it('cost nothing where there are none, and come with the first service', async () => {
    const node = new SimVips();
    await node.attach(sandboxOf('c1'));
    await node.complete({ services: [serviceOf('web', { virtualIp: '' })] });
    expect(node.balanced('c1')).toBeUndefined();
    await node.update({ services: [web], endpoints: [task(1)] });
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.11'] });
  });

  it('of a service that is gone refuse until somebody has the address', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1)] });
    await node.attach(sandboxOf('c1'));
    const gone = [{ table: 'service' as const, networkId: 'net', id: 'web' }];
    await node.update({ gone: [...gone, { table: 'endpoint', networkId: 'net', id: 't1' }] });
    expect(node.balanced('c1')).toEqual({ [VIP]: [] });
    await node.attach(sandboxOf('new'));
    expect(node.balanced('new')).toEqual({ [VIP]: [] });
    const addresses = [`${VIP}/24`];
    await node.update({ endpoints: [endpointOf('t9', { serviceId: '', addresses })] });
    expect([node.balanced('c1'), node.balanced('new')]).toEqual([{}, {}]);
    await node.update({ services: [web], endpoints: [task(1)] });
    await node.update({ gone });
    await node.update({ nodes: [nodeOf('n2', { address: `${VIP}/24` })] });
    expect(node.balanced('c1')).toEqual({});
  });

  it.each([true, false])(
    'are kept for so many services that are gone, affinity %s',
    async (sticky) => {
      const node = new SimVips();
      const vipOf = (n: number) => `10.0.${2 + Math.floor(n / 200)}.${n % 200}`;
      const all = Array.from({ length: RETIRED_VIPS_PER_NETWORK_MAX + 2 }, (_, n) =>
        serviceOf(`s${n}`, { virtualIp: vipOf(n), clientAffinity: sticky }),
      );
      await node.complete({ services: all });
      await node.attach(sandboxOf('c1'));
      for (const { serviceId: id } of all) {
        await node.update({ gone: [{ table: 'service', networkId: 'net', id }] });
      }
      const left = Object.keys(node.balanced('c1') ?? {});
      expect(left).toHaveLength(RETIRED_VIPS_PER_NETWORK_MAX);
      expect(left).not.toContain(vipOf(1));
      expect(left).toContain(vipOf(2));
    },
  );

  it('move from one service to another within one update', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1)] });
    await node.attach(sandboxOf('c1'));
    await node.update({
      services: [serviceOf('db', { virtualIp: VIP })],
      endpoints: [endpointOf('d5', { serviceId: 'db' })],
      gone: [{ table: 'service', networkId: 'net', id: 'web' }],
    });
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.15'] });
  });

  it('come with a network that the node learns of later', async () => {
    const node = new SimVips();
    const db = serviceOf('db', { networkId: 'first', virtualIp: '10.0.2.100' });
    const first = { networks: [networkOf('first')], services: [db] };
    await node.complete(first);
    await node.attach(sandboxOf('c1', [attachedOf('first'), attachedOf('net')]));
    await node.complete(first);
    expect(node.balanced('c1')).toEqual({ '10.0.2.100': [] });
    const networks = [networkOf('net')];
    await node.update({ networks, services: [web], endpoints: [task(1)] });
    expect(node.balanced('c1')).toEqual({ '10.0.2.100': [], [VIP]: ['10.0.1.11'] });
  });
});

describe('a service with client affinity', () => {
  const sticky = serviceOf('web', { virtualIp: VIP, clientAffinity: true });
  const all = [1, 2, 3, 4].map((number) => task(number));

  it('gives each container one backend, and another only when that one is not ready', async () => {
    const node = new SimVips();
    await node.complete({ services: [sticky], endpoints: all.slice(0, 3) });
    await node.attach(sandboxOf('c1'));
    const [chosen = ''] = node.balanced('c1')?.[VIP] ?? [];
    await node.update({ endpoints: [task(4)] });
    expect(node.balanced('c1')).toEqual({ [VIP]: [chosen] });
    node.restart();
    await node.attach(sandboxOf('c1'));
    await node.complete({ services: [sticky], endpoints: all });
    expect(node.balanced('c1')).toEqual({ [VIP]: [chosen] });
    const left = all.find(({ addresses }) => addresses[0]?.startsWith(`${chosen}/`));
    await node.update({ endpoints: left ? [{ ...left, ready: false }] : [] });
    expect(node.balanced('c1')?.[VIP]).toHaveLength(1);
    expect(node.balanced('c1')?.[VIP]).not.toEqual([chosen]);
  });

  it('can become one, and one without again', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: all });
    await node.attach(sandboxOf('c1'));
    await node.update({ services: [sticky] });
    expect(node.balanced('c1')?.[VIP]).toHaveLength(1);
    await node.update({ services: [web] });
    expect(node.balanced('c1')?.[VIP]).toHaveLength(4);
    // Two to make and fill the table, one for each change, and one that frees slots.
    expect(node.kernel.at('/netns/c1').tables.generation).toBe(1 + 2 + 3);
  });
});

describe('flows through virtual IPs', () => {
  async function withTwo() {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1), task(2)] });
    await node.attach(sandboxOf('c1'));
    return node;
  }

  it('of datagrams leave a task that takes nothing new, and connections stay', async () => {
    const node = await withTwo();
    await node.update({ endpoints: [task(1, { ready: false })] });
    const match = { replySource: '10.0.1.11', protocol: 'udp' };
    await settle();
    expect(node.kernel.forgotten).toEqual([{ namespace: '/netns/c1', match }]);
  });

  it('all end when a task is gone', async () => {
    const node = await withTwo();
    await node.update({ gone: [{ table: 'endpoint', networkId: 'net', id: 't1' }] });
    const match = { replySource: '10.0.1.11' };
    await settle();
    expect(node.kernel.forgotten).toEqual([{ namespace: '/netns/c1', match }]);
  });

  it('all end that led to a node which is not heard of any more', async () => {
    const node = await withTwo();
    const nodes = [nodeOf('n1', { down: true })];
    await node.update({ nodes, endpoints: [task(1, { ready: false })] });
    const match = { replySource: '10.0.1.11' };
    await settle();
    expect(node.kernel.forgotten).toEqual([{ namespace: '/netns/c1', match }]);
  });

  it('all end that drained on a node when it was lost', async () => {
    const node = await withTwo();
    await node.update({ endpoints: [task(1, { ready: false })] });
    await settle();
    await node.update({ nodes: [nodeOf('n1', { down: true })] });
    await settle();
    const [, ...later] = node.kernel.forgotten.map(({ match }) => match);
    expect(later).toEqual([{ replySource: '10.0.1.11' }]);
  });

  it('all end when a neighbour on this node is gone, before the tables say so', async () => {
    const node = await withTwo();
    await node.attach(sandboxOf('t1', [attachedOf('net', { address: '10.0.1.11/24' })]));
    await node.balancer.removed('t1');
    const match = { replySource: '10.0.1.11' };
    await settle();
    expect(node.kernel.forgotten).toEqual([{ namespace: '/netns/c1', match }]);
  });

  it('all end that led to what went while no daemon ran', async () => {
    const node = await withTwo();
    node.restart();
    await node.attach(sandboxOf('c1'));
    await node.complete({ services: [web], endpoints: [task(2, { ready: false }), task(3)] });
    await settle();
    expect(node.kernel.forgotten.map(({ match }) => match)).toEqual([
      { replySource: '10.0.1.11' },
      { replySource: '10.0.1.12', protocol: 'udp' },
    ]);
  });
});

describe('a table of virtual IPs', () => {
  it('is left alone by a new daemon until it knows, and then changed where it differs', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(3), task(4)] });
    await node.attach(sandboxOf('c1'));
    await node.update({ endpoints: [task(1), task(2)] });
    const before = structuredClone(node.kernel.at('/netns/c1').tables.get('skep')?.sets);
    node.restart();
    await node.attach(sandboxOf('c1'));
    expect(node.balanced('c1')?.[VIP]).toHaveLength(4);
    const [seen, refuse]: [string[], undefined] = [[], undefined];
    node.kernel.refuse = (command) => {
      if (command.op !== 'nft') return;
      seen.push(...command.changes.map(({ kind }) => kind));
    };
    const endpoints = [1, 2, 3, 4].map((number) => task(number));
    await node.complete({ services: [web], endpoints });
    node.kernel.refuse = refuse;
    expect(new Set(seen)).toEqual(new Set(['chain-add']));
    expect(node.kernel.at('/netns/c1').tables.get('skep')?.sets).toEqual(before);
  });

  it('that somebody in the container has spoilt is put right at the next comparison', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1), task(2)] });
    await node.attach(sandboxOf('c1'));
    const { tables } = node.kernel.at('/netns/c1');
    const lookAgain = async () => {
      await node.clock.advance(30_000);
      await settle();
      return node.balanced('c1');
    };
    tables.apply([{ kind: 'set-flush', table: 'skep', set: 'services' }]);
    expect(await lookAgain()).toEqual({ [VIP]: ['10.0.1.11', '10.0.1.12'] });
    tables.apply([{ kind: 'chain-add', table: 'skep', chain: 'pick_2', rules: ['drop'] }]);
    await lookAgain();
    expect(tables.get('skep')?.chains.get('pick_2')).not.toEqual(['drop']);
    tables.apply([{ kind: 'table-remove', table: 'skep' }]);
    expect(await lookAgain()).toEqual({ [VIP]: ['10.0.1.11', '10.0.1.12'] });
    const { generation } = tables;
    await lookAgain();
    expect(tables.generation).toBe(generation);
  });

  it('is put in place whole where the kernel refuses a change to it', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1)] });
    await node.attach(sandboxOf('c1'));
    node.kernel.at('/netns/c1').tables.apply([{ kind: 'table-remove', table: 'skep' }]);
    await node.update({ endpoints: [task(2)] });
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.11', '10.0.1.12'] });
  });

  it('that cannot be made keeps its container from starting, and no other from being served', async () => {
    const node = new SimVips();
    await node.complete({ services: [web], endpoints: [task(1)] });
    await node.attach(sandboxOf('c1'));
    node.kernel.refuse = (command) => {
      const isFirst = 'namespace' in command && command.namespace === '/netns/c1';
      if (command.op === 'nft' && !isFirst) throw new SimRefusal('EOPNOTSUPP', 'no nft here');
    };
    await expect(node.attach(sandboxOf('c2'))).rejects.toThrow('no nft here');
    await node.update({ endpoints: [task(2)] });
    expect(node.balanced('c1')).toEqual({ [VIP]: ['10.0.1.11', '10.0.1.12'] });
    expect(node.balanced('c2')).toBeUndefined();
  });

  it('is compared no more once the balancer is closed', async () => {
    const node = new SimVips();
    node.balancer.close();
    expect(node.clock.pendingTimers).toBe(0);
  });
});
