import { create } from '@bufbuild/protobuf';
import { silentLogger } from '@skep/platform';
import { completeObject } from '@skep/wire';
import {
  NodeSchema,
  NodeSpec_Availability,
  RaftMemberStatus_Reachability,
  ServiceSchema,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { EventHub } from '../../events/hub.js';
import { JsonReader } from '../convert/reader.js';
import { SimSwarmNode } from '../node.sim.js';
import { initFromJson } from '../requests.js';
import { SwarmEvents } from './swarm-events.js';

const addresses = {
  interfaces: () => [],
  defaultAdvertiseAddress: '10.0.0.1',
  ownSubnets: () => [],
};
const request = () =>
  initFromJson(JsonReader.of({ ListenAddr: '10.0.0.1:2377' }, 'InitRequest'), addresses);

function start() {
  const node = new SimSwarmNode();
  const hub = new EventHub();
  const events = new SwarmEvents({ node, hub, clock: node.clock, log: silentLogger });
  const stop = new AbortController();
  const stream = hub.open(undefined, stop.signal)[Symbol.asyncIterator]();
  events.start();
  return { node, events, stream };
}

describe('swarm events', () => {
  it('tell of services and nodes, with what changed', async () => {
    const { node, stream } = start();
    await node.init(request());
    await node.clock.advance(0);
    const spec = {
      annotations: { name: 'web' },
      mode: { case: 'replicated', value: { replicas: 1n } },
    } as const;
    const made = await node.store.update((tx) =>
      tx.create('service', completeObject('service', create(ServiceSchema, { id: 's', spec }))),
    );
    expect((await stream.next()).value).toMatchObject({
      Type: 'service',
      Action: 'create',
      scope: 'swarm',
      Actor: { ID: 's', Attributes: { name: 'web' } },
    });
    const more = create(ServiceSchema, {
      spec: { ...spec, mode: { case: 'replicated', value: { replicas: 3n } } },
    });
    await node.store.update((tx) =>
      tx.update('service', completeObject('service', { ...made, spec: more.spec! })),
    );
    expect((await stream.next()).value.Actor.Attributes).toEqual({
      name: 'web',
      'replicas.old': '1',
      'replicas.new': '3',
    });
    const stored = node.store.view.get('node', 'node-one')!;
    await node.store.update((tx) =>
      tx.update('node', {
        ...stored,
        spec: { ...stored.spec, availability: NodeSpec_Availability.DRAIN },
      }),
    );
    expect((await stream.next()).value.Actor.Attributes).toMatchObject({
      'availability.old': 'active',
      'availability.new': 'drain',
    });
  });

  it('tell of nodes by their host names', async () => {
    const { node, stream } = start();
    await node.init(request());
    await node.clock.advance(0);
    const spec = { annotations: { labels: { a: 'b' } } };
    const worker = create(NodeSchema, { id: 'w', spec, description: { hostname: 'worker1' } });
    await node.store.update((tx) => tx.create('node', completeObject('node', worker)));
    expect((await stream.next()).value).toMatchObject({
      Type: 'node',
      Action: 'create',
      Actor: { ID: 'w', Attributes: { name: 'worker1' } },
    });
  });

  it('tell who leads and who is reached, as this manager sees it', async () => {
    const { node, stream } = start();
    await node.init(request());
    await node.clock.advance(0);
    const description = { hostname: 'manager2' };
    const other = create(NodeSchema, { id: 'm2', description });
    await node.store.update((tx) => tx.create('node', completeObject('node', other)));
    expect((await stream.next()).value.Action).toBe('create');
    const [own] = node.members;
    const { REACHABLE, UNREACHABLE } = RaftMemberStatus_Reachability;
    const second = { ...own!, nodeId: 'm2', leader: false, reachability: REACHABLE };
    node.members.push(second);
    node.changed();
    await node.clock.advance(0);
    second.reachability = UNREACHABLE;
    node.changed();
    expect((await stream.next()).value).toMatchObject({
      Type: 'node',
      Action: 'update',
      scope: 'swarm',
      Actor: {
        ID: 'm2',
        Attributes: {
          name: 'manager2',
          'reachability.old': 'reachable',
          'reachability.new': 'unreachable',
        },
      },
    });
    own!.leader = false;
    second.leader = true;
    node.changed();
    expect((await stream.next()).value.Actor.Attributes).toEqual({
      name: '',
      'leader.old': 'true',
      'leader.new': 'false',
    });
    expect((await stream.next()).value.Actor).toEqual({
      ID: 'm2',
      Attributes: { name: 'manager2', 'leader.old': 'false', 'leader.new': 'true' },
    });
  });

  it('begin again with the next swarm, and end with stop', async () => {
    const { node, events, stream } = start();
    await node.init(request());
    await node.clock.advance(0);
    await node.leave(true);
    await node.init(request());
    await node.clock.advance(0);
    const service = create(ServiceSchema, { id: 's2', spec: { annotations: { name: 'b' } } });
    await node.store.update((tx) => tx.create('service', completeObject('service', service)));
    expect((await stream.next()).value.Actor.ID).toBe('s2');
    events.stop();
    expect(node.listeners.size).toBe(0);
    expect(node.clock.pendingTimers).toBe(0);
  });
});
