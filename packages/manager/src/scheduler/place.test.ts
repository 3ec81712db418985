import { NodeSpec_Availability, PortConfig_PublishMode } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { nodeOf, taskOf } from '../testing/objects.sim.js';
import { revisionKey } from './demand.js';
import { NodeInfo } from './node-info.js';
import { place } from './place.js';

type NodeInit = Parameters<typeof nodeOf>[1];
type TaskInit = Parameters<typeof taskOf>[1];

const TIME = { nowMs: 0, monotonicMs: 1_000_000 };

function nodes(...inits: NodeInit[]): NodeInfo[] {
  return inits.map((init, at) => new NodeInfo(nodeOf(`n${at}`, init), at));
}

function tasks(count: number, init: TaskInit = {}) {
  return Array.from({ length: count }, (_, at) => taskOf(`t${at}`, { serviceId: 's', ...init }));
}

/** Where tasks went, in order. */
function placeOn(infos: NodeInfo[], count: number, init: TaskInit = {}): string[] {
  return place(tasks(count, init), infos, TIME).assigned.map(({ nodeId }) => nodeId);
}

function refusal(infos: NodeInfo[], count: number, init: TaskInit = {}): string {
  return place(tasks(count, init), infos, TIME).refusal;
}

const spread = (spreadDescriptor: string) => ({
  preference: { case: 'spread', value: { spreadDescriptor } } as const,
});
const labelled = (labels: Record<string, string>): NodeInit => ({
  spec: { annotations: { labels }, availability: NodeSpec_Availability.ACTIVE },
});
const reserving = (nanoCpus: bigint, memoryBytes = 0n) => ({
  spec: { resources: { reservations: { nanoCpus, memoryBytes } } },
});

describe('place', () => {
  it('spreads over nodes, first by tasks of the service, then by all tasks', () => {
    const infos = nodes({}, {}, {});
    infos[0]?.put(taskOf('x', { nodeId: 'n0', serviceId: 'other' }));
    infos[1]?.put(taskOf('y', { nodeId: 'n1', serviceId: 's' }));
    expect(placeOn(infos, 5)).toEqual(['n2', 'n0', 'n1', 'n2', 'n0']);
  });

  it('does not count tasks that shall stop', () => {
    const infos = nodes({}, {});
    infos[0]?.put(taskOf('x', { nodeId: 'n0', serviceId: 's', desiredState: 640 }));
    expect(placeOn(infos, 1)).toEqual(['n0']);
  });

  it('shuns a node where many tasks of this revision failed lately, for a while', () => {
    const infos = nodes({}, {});
    const key = revisionKey(taskOf('t', { serviceId: 's' }));
    for (let times = 0; times < 5; times++) infos[0]?.failures.record(key, TIME.monotonicMs);
    expect(placeOn(infos, 2)).toEqual(['n1', 'n1']);
    const later = { ...TIME, monotonicMs: TIME.monotonicMs + 300_000 };
    expect(place(tasks(1), infos, later).assigned[0]?.nodeId).toBe('n0');
  });

  it('balances the branches of placement preferences, nodes without the label being one', () => {
    const infos = nodes(
      labelled({ zone: 'a', rack: '1' }),
      labelled({ zone: 'a', rack: '1' }),
      labelled({ zone: 'a', rack: '2' }),
      labelled({ zone: 'b', rack: '1' }),
      {},
    );
    const preferences = [spread('node.labels.zone'), spread('node.labels.rack')];
    const went = placeOn(infos, 12, { spec: { placement: { preferences } } });
    const count = (id: string) => went.filter((nodeId) => nodeId === id).length;
    expect(['n0', 'n1', 'n2', 'n3', 'n4'].map(count)).toEqual([1, 1, 2, 4, 4]);
  });

  it('fills what reservations leave free, and says how many nodes are full', () => {
    const infos = nodes({}, {});
    const { assigned, refused, refusal } = place(tasks(9, reserving(1_000_000_000n)), infos, TIME);
    expect(assigned).toHaveLength(8);
    expect(refused.map(({ id }) => id)).toEqual(['t8']);
    expect(refusal).toBe(
      'no suitable node (insufficient resources on 2 nodes): short of CPUs on 2 nodes',
    );
  });

  it('says each reason once, the most frequent first, a lone node in the singular', () => {
    const drained = { spec: { annotations: {}, availability: NodeSpec_Availability.DRAIN } };
    const placement = { constraints: ['node.hostname == elsewhere'] };
    expect(refusal(nodes(drained, {}, {}), 1, { spec: { placement } })).toBe(
      'no suitable node (scheduling constraints not satisfied on 2 nodes; ' +
        '1 node not available for new tasks): node.hostname == elsewhere fails on 2 nodes',
    );
    expect(refusal([], 1)).toBe('no suitable node');
  });

  it('names what is amiss on how many nodes, the most frequent first, and not without end', () => {
    const constraints = Array.from({ length: 12 }, (_, at) => `node.labels.l${at} == x`);
    const resources = { reservations: { memoryBytes: 2n ** 50n } };
    const all = refusal(nodes({}, {}), 1, { spec: { placement: { constraints } } });
    expect(all.match(/fails on 2 nodes/g)).toHaveLength(8);
    expect(refusal(nodes({}), 1, { spec: { resources } })).toMatch(/: short of memory on 1 node$/);
  });

  it('gives a host port of a node to one task', () => {
    const port = { targetPort: 80, publishedPort: 80, publishMode: PortConfig_PublishMode.HOST };
    const infos = nodes({}, {});
    const init = { endpoint: { ports: [port] } };
    expect(placeOn(infos, 2, init)).toEqual(['n0', 'n1']);
    expect(refusal(infos, 1, init)).toBe(
      'no suitable node (host-mode port already in use on 2 nodes): port 80/tcp in use on 2 nodes',
    );
  });

  it('keeps to the replicas a node may have', () => {
    const init = { spec: { placement: { maxReplicas: 2n } } };
    const { assigned, refusal } = place(tasks(5, init), nodes({}, {}), TIME);
    expect(assigned).toHaveLength(4);
    expect(refusal).toBe(
      'no suitable node (max replicas per node limit exceed): limit of 2 reached on 2 nodes',
    );
  });

  it('asks for the plugins a task needs', () => {
    const attachment = (name: string) => ({ networks: [{ network: { driverState: { name } } }] });
    expect(placeOn(nodes({}), 1, attachment('overlay'))).toEqual(['n0']);
    expect(refusal(nodes({}), 1, attachment('weave'))).toMatch('no network driver weave on 1 node');
    const log = { spec: { logDriver: { name: 'splunk' } } };
    expect(placeOn(nodes({}), 1, log)).toEqual(['n0']);
    const listing = { description: { engine: { plugins: [{ type: 'Log', name: 'json-file' }] } } };
    expect(refusal(nodes(listing), 1, log)).toMatch('no log driver splunk on 1 node');
  });

  it('gives devices and privileges only where nodes allow them', () => {
    const allowing = (...plugins: { type: string; name: string }[]) => ({
      description: { engine: { plugins } },
    });
    const asking = (name: string, value: string) => ({
      serviceAnnotations: { labels: { [name]: value } },
    });
    const fuse = allowing({ type: 'ServiceDevice', name: '/dev/fuse' });
    const all = allowing({ type: 'ServicePrivilege', name: 'privileged' });
    const device = asking('skep.devices', '/dev/fuse');
    expect(placeOn(nodes({}, all, fuse), 1, device)).toEqual(['n2']);
    expect(refusal(nodes({}, all), 1, device)).toBe(
      'no suitable node (devices not allowed on 2 nodes): no leave to use /dev/fuse on 2 nodes',
    );
    const privileged = asking('skep.privileged', 'true');
    expect(placeOn(nodes({}, all, fuse), 1, privileged)).toEqual(['n1']);
    expect(refusal(nodes(fuse), 1, privileged)).toMatch('privileged not allowed on 1 node');
  });

  it('puts tasks of encrypted networks on nodes alone that can encrypt, engines of others among them', () => {
    const agent = { type: 'Agent', name: 'skep' };
    const bySaying = (name: string) => ({
      description: { engine: { plugins: [agent, { type: 'DataPath', name }] } },
    });
    const task = (option: string) => ({
      networks: [{ network: { driverState: { options: { [option]: '' } } } }],
    });
    const unable = bySaying('-');
    expect(placeOn(nodes(unable), 1, task('label'))).toEqual(['n0']);
    expect(refusal(nodes(unable), 1, task('encrypted'))).toBe(
      'no suitable node (network cannot be encrypted on 1 node)',
    );
    const able = bySaying('- ipsec');
    const engine = { description: { engine: { plugins: [] } } };
    expect(placeOn(nodes(unable, able, engine), 2, task('encrypted'))).toEqual(['n1', 'n2']);
  });

  it('knows the names of an architecture', () => {
    const on = (architecture: string, os = 'linux') => ({
      spec: { placement: { platforms: [{ architecture, os }] } },
    });
    expect(placeOn(nodes({}), 1, on('amd64'))).toEqual(['n0']);
    expect(placeOn(nodes({}), 1, on(''))).toEqual(['n0']);
    expect(refusal(nodes({}), 1, on('arm64'))).toMatch('unsupported platform on 1 node');
    expect(refusal(nodes({}), 1, on('amd64', 'windows'))).toMatch('unsupported platform');
  });

  it('hands out named and counted resources', () => {
    const named = (value: string) => ({
      resource: { case: 'namedResourceSpec', value: { kind: 'gpu', value } } as const,
    });
    const counted = (kind: string, value: bigint) => ({
      resource: { case: 'discreteResourceSpec', value: { kind, value } } as const,
    });
    const generic = [named('a'), named('b'), named('c'), counted('ssd', 4n)];
    const infos = nodes({ description: { resources: { generic } } });
    const reservations = { generic: [counted('gpu', 2n), counted('ssd', 1n)] };
    const init = { spec: { resources: { reservations } } };
    const { assigned, refused } = place(tasks(2, init), infos, TIME);
    expect(assigned[0]?.assignedGenericResources).toMatchObject([
      named('a'),
      named('b'),
      counted('ssd', 1n),
    ]);
    expect(refused).toHaveLength(1);
    infos[0]?.drop('t0');
    expect(place(refused, infos, TIME).assigned).toHaveLength(1);
  });
});
