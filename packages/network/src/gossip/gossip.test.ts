import { create } from '@bufbuild/protobuf';
import { SimClock } from '@skep/platform';
import { completeObject } from '@skep/wire';
import { TaskSchema } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AttachedSandbox } from '../sandbox/contract.js';
import { endpointOf, networkOf, nodeOf, serviceOf, updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { GossipCorrections } from './corrections.js';
import { peerOf, recordOf, SimGossip } from './gossip.sim.js';
import { GossipPublisher, type GossipPublisherOptions } from './publisher.js';
import { GossipSource } from './source.js';

const TASK_ID = 't'.repeat(25);

let gossip: SimGossip;
let tables: Tables;

function publisherOf(
  gossip: SimGossip,
  options: Partial<GossipPublisherOptions> = {},
): GossipPublisher {
  return new GossipPublisher({
    ...{ gossip, nodeId: () => 'n1', managersTell: () => true },
    ...options,
  });
}

beforeEach(() => {
  gossip = new SimGossip();
  tables = new Tables();
});

describe('what this node has', () => {
  const engine = nodeOf('n2', { ownAgent: false });
  const full = updateOf(1n, {
    complete: true,
    networks: [networkOf('net')],
    nodes: [nodeOf('n1'), engine],
    services: [serviceOf('web')],
    endpoints: [
      endpointOf('t1', { serviceId: 'web', ready: false }),
      endpointOf('t2', { nodeId: 'n2' }),
    ],
  });

  beforeEach(async () => {
    tables.addReader(publisherOf(gossip));
    await tables.update(full);
  });

  const update = async (ready: boolean) => {
    gossip.said.length = 0;
    const endpoints = [endpointOf('t1', { serviceId: 'web', ready })];
    await tables.update(updateOf(2n, { endpoints }));
    return gossip.said;
  };

  it('is gossiped as soon as it can be reached', () => {
    expect(gossip.said).toEqual([
      'join net',
      'peer net n1 10.0.1.2/24 02:42:0a:00:01:02 192.168.9.1',
      'peer net t1 10.0.1.11/24 02:42:0a:00:01:0b 192.168.9.1',
    ]);
  });

  it('is balanced while it is ready, and out of that before it goes', async () => {
    expect(await update(true)).toEqual(['endpoint net t1 t1 10.0.1.100']);
    expect(await update(true)).toEqual([]);
    expect(await update(false)).toEqual(['endpoint net t1 t1 10.0.1.100 off']);
    gossip.said.length = 0;
    const gone = [{ table: 'endpoint', networkId: 'net', id: 't1' } as const];
    await tables.update(updateOf(3n, { gone }));
    expect(gossip.said).toEqual(['no endpoint net t1', 'no peer net t1']);
  });

  it('is gossiped once the node knows its own id, where its networks were there before', async () => {
    let nodeId = '';
    const late = new SimGossip();
    const publisher = publisherOf(late, { nodeId: () => nodeId });
    tables.addReader(publisher);
    await tables.update(updateOf(2n, {}));
    expect(late.said).toEqual(['join net']);
    nodeId = 'n1';
    publisher.identified(tables);
    expect(late.said).toEqual(gossip.said);
  });

  it('is taken back with the network', async () => {
    gossip.said.length = 0;
    await tables.update(updateOf(2n, { complete: true }));
    expect(gossip.said.at(-1)).toBe('leave net');
  });
});

describe('networks without a Docker Engine', () => {
  const own = updateOf(1n, {
    complete: true,
    networks: [networkOf('net')],
    nodes: [nodeOf('n1'), nodeOf('n2')],
    endpoints: [endpointOf('t1')],
  });
  const whole = [
    'join net',
    'peer net n1 10.0.1.2/24 02:42:0a:00:01:02 192.168.9.1',
    'peer net t1 10.0.1.11/24 02:42:0a:00:01:0b 192.168.9.1',
    'endpoint net t1 t1 ',
  ];

  it('are not gossiped of until one comes, and from then on as long as they are there', async () => {
    tables.addReader(publisherOf(gossip));
    await tables.update(own);
    expect(gossip.said).toEqual([]);
    await tables.update(updateOf(2n, { nodes: [nodeOf('n3', { ownAgent: false })] }));
    expect(gossip.said).toEqual(whole);
    const gone = [{ table: 'node', networkId: 'net', id: 'n3' } as const];
    await tables.update(updateOf(3n, { gone }));
    expect(gossip.said).toEqual(whole);
    await tables.update(updateOf(4n, { complete: true }));
    expect(gossip.said.at(-1)).toBe('leave net');
  });

  it('are gossiped of where managers tell nothing, also when that turns out later', async () => {
    let managersTell = true;
    const publisher = publisherOf(gossip, { managersTell: () => managersTell });
    tables.addReader(publisher);
    await tables.update(own);
    managersTell = false;
    publisher.reconsider(tables);
    expect(gossip.said).toEqual(whole);
    publisher.reconsider(tables);
    expect(gossip.said).toEqual(whole);
  });
});

describe('what Docker Engines know alone', () => {
  const docker = nodeOf('n2', { ownAgent: false });

  it('is where they take packets', async () => {
    gossip.hear([peerOf('k', 'x', docker.address), peerOf('l', 'y', nodeOf('n3').address)]);
    const corrections = new GossipCorrections({ gossip, tables });
    const update = updateOf(1n, {
      complete: true,
      networks: [networkOf('net')],
      nodes: [docker, nodeOf('n3')],
    });
    const amended = corrections.amend(update);
    expect(amended.nodes.map(({ tunnelAddress }) => tunnelAddress)).toEqual([
      '192.168.9.9',
      '192.168.9.3',
    ]);
    await tables.update(update);
    await tables.update(corrections.corrections());
    expect(tables.node('net', 'n2')?.tunnelAddress).toBe('192.168.9.9');
    expect(corrections.corrections().nodes).toEqual([]);
  });

  it('is what attached containers are called there', async () => {
    const names = { name: 'guest', aliases: ['friend'] };
    const record = recordOf('k', 'x', { ...names, serviceId: '', address: '10.0.1.11' });
    gossip.hear([], [record, recordOf('l', 'x', { ...names, address: '10.0.1.12' })]);
    const corrections = new GossipCorrections({ gossip, tables });
    const update = updateOf(1n, {
      complete: true,
      networks: [networkOf('net')],
      nodes: [docker],
      endpoints: [
        endpointOf('t1', { nodeId: 'n2', name: '0123456789ab' }),
        endpointOf('t2', { nodeId: 'n2', serviceId: 'web' }),
        endpointOf('t3', { nodeId: 'n1' }),
      ],
    });
    const called = (endpoints: { name: string }[]) => endpoints.map(({ name }) => name);
    expect(called(corrections.amend(update).endpoints)).toEqual(['guest', 't2', 't3']);
    await tables.update(update);
    await tables.update(corrections.corrections());
    expect(tables.endpoint('net', 't1')).toMatchObject(names);
    expect(corrections.corrections().endpoints).toEqual([]);
  });
});

describe('the tables under a manager that tells nothing', () => {
  let clock: SimClock;
  let source: GossipSource;

  const sandbox = (name: string): AttachedSandbox => ({
    ...{ containerId: `c-${name}`, name, namespace: '/ns' },
    networks: [
      {
        ...{ networkId: 'net', networkName: 'net', link: 'eth0', address: '10.0.1.7/24' },
        ...{ aliases: ['alias'], ingress: false },
      },
    ],
    names: { hostname: '', servers: [], search: [], options: [] },
  });

  const task = completeObject(
    'task',
    create(TaskSchema, {
      ...{ id: TASK_ID, serviceId: 's1', slot: 1n, serviceAnnotations: { name: 'web' } },
      endpoint: { virtualIps: [{ networkId: 'net', addr: '10.0.1.100/24' }] },
    }),
  );

  beforeEach(async () => {
    clock = new SimClock();
    const tunnelAddress = () => '192.168.9.1';
    source = new GossipSource({ tables, gossip, clock, nodeId: () => 'n1', tunnelAddress });
    await source.setNetworks([networkOf('net')]);
    source.start();
    await clock.advance(1);
  });

  it('have what others say', async () => {
    gossip.hear(
      [peerOf('k1', 'docker', '10.0.1.4/24'), peerOf('k2', 'docker', '10.0.1.9/24')],
      [recordOf('k2', 'docker')],
    );
    await clock.advance(1);
    expect(tables.nodes('net')).toMatchObject([
      { nodeId: 'docker', address: '10.0.1.4/24', tunnelAddress: '192.168.9.9', ownAgent: false },
      { nodeId: 'n1', address: '10.0.1.2/24', ownAgent: true },
    ]);
    expect(tables.endpoints('net')).toMatchObject([
      { id: 'k2', nodeId: 'docker', addresses: ['10.0.1.9/24'], slot: 2, ready: true },
    ]);
    expect(tables.services('net')).toMatchObject([
      { serviceId: 's1', name: 'web', virtualIp: '10.0.1.100', aliases: ['www'] },
    ]);
    gossip.hear([peerOf('k1', 'docker', '10.0.1.4/24')]);
    await clock.advance(1);
    expect(tables.endpoints('net')).toEqual([]);
    expect(tables.services('net')).toEqual([]);
  });

  it("have this node's containers: those of tasks are ready when they are said to be", async () => {
    await source.added(sandbox(`web.1.${TASK_ID}`));
    await source.added(sandbox('tool'));
    await clock.advance(1);
    const ready = () => tables.endpoints('net').map(({ id, ready }) => `${id} ${ready}`);
    expect(ready()).toEqual(['c-tool true', `${TASK_ID} false`]);
    await source.activate(task);
    expect(ready()).toEqual(['c-tool true', `${TASK_ID} true`]);
    expect(tables.service('net', 's1')).toMatchObject({ name: 'web', virtualIp: '10.0.1.100' });
    await source.withdraw(TASK_ID);
    expect(ready()).toEqual(['c-tool true', `${TASK_ID} false`]);
    await source.removed(`c-web.1.${TASK_ID}`);
    await clock.advance(1);
    expect(ready()).toEqual(['c-tool true']);
  });

  it('stay as they are until the manager has said where this node is', async () => {
    await tables.update(updateOf(1n, { complete: true, networks: [networkOf('net')] }));
    source.forget();
    source.start();
    await source.added(sandbox('tool'));
    await clock.advance(1);
    expect(tables.networks()).toHaveLength(1);
    expect(tables.endpoints('net')).toEqual([]);
    await source.setNetworks([networkOf('net')]);
    expect(tables.endpoints('net')).toHaveLength(1);
  });

  it('are left to a manager that tells', async () => {
    source.stop();
    gossip.hear([peerOf('k1', 'docker', '10.0.1.4/24')]);
    await source.added(sandbox('tool'));
    await clock.advance(1);
    expect(tables.endpoints('net')).toEqual([]);
    source.start();
    await clock.advance(1);
    expect(tables.endpoints('net')).toHaveLength(1);
  });
});
