import { describe, expect, it } from 'vitest';
import { SimRefusal } from '../kernel/simulated/refusal.js';
import { MESH_COMPARE_MS, MESH_WAIT_MS } from '../limits.js';
import { nodeOf, serviceOf, updateOf } from '../tables/objects.sim.js';
import { DOCKER, HERE, INGRESS, SimMesh, THERE, taskOf } from './mesh.sim.js';

const PORT = 'tcp . 8080';

/** A node in the ingress network, with the others known. */
async function standing() {
  const node = new SimMesh();
  await node.places.make(INGRESS);
  const rows = { networks: [INGRESS], nodes: [HERE, THERE, DOCKER] };
  await node.tables.update(updateOf(1n, { complete: true, ...rows }));
  let version = 1n;
  const update = (more: Parameters<typeof updateOf>[1]) =>
    node.tables.update(updateOf(++version, more));
  const gone = (...ids: string[]) =>
    update({ gone: ids.map((id) => ({ table: 'endpoint', networkId: 'net', id })) });
  return { node, update, gone };
}

describe('the routing mesh of a node', () => {
  it('balances over the ready tasks of all nodes', async () => {
    const { node, update, gone } = await standing();
    await update({ endpoints: [taskOf('t1'), taskOf('t2', { nodeId: 'n2' })] });
    expect(node.published()).toEqual([PORT]);
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80', '10.0.1.12 . 80'] });
    await gone('t1');
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.12 . 80'] });
    await gone('t2');
    expect(node.published()).toEqual([]);
    expect(node.holder.held.size).toBe(0);
  });

  it('answers for a service none of whose tasks is ready, with nobody behind the port', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1', { ready: false })] });
    expect(node.published()).toEqual([PORT]);
    expect(node.balanced()).toEqual({});
    expect(node.holder.held).toEqual(new Set(['tcp 8080 0.0.0.0']));
  });

  it('leaves flows of a draining task alone, and forgets those of one that is gone', async () => {
    const { node, update, gone } = await standing();
    await update({ endpoints: [taskOf('t1'), taskOf('t2')] });
    await update({ endpoints: [taskOf('t1', { ready: false })] });
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.12 . 80'] });
    expect(node.kernel.forgotten).toEqual([]);
    await gone('t1');
    const match = { replySource: '10.0.1.11' };
    expect(node.kernel.forgotten).toEqual([{ namespace: node.namespace, match }]);
  });

  it('moves datagrams of a draining task, and cuts what went to one on a node that is lost', async () => {
    const { node, update } = await standing();
    const ports = [{ protocol: 'udp' as const, targetPort: 53, publishedPort: 5353 }];
    const [datagrams, lost] = [taskOf('t1', { ports }), taskOf('t2', { nodeId: 'n2' })];
    await update({ endpoints: [datagrams, lost] });
    node.kernel.forgotten.splice(0);
    await update({ endpoints: [{ ...datagrams, ready: false }] });
    await update({ nodes: [{ ...THERE, down: true }], endpoints: [{ ...lost, ready: false }] });
    expect(node.kernel.forgotten.map(({ match }) => match)).toEqual([
      { replySource: '10.0.1.11', protocol: 'udp' },
      { replySource: '10.0.1.12' },
    ]);
  });

  it('forgets the MAC of an address that is free: another node’s task may have it next', async () => {
    const { node, update, gone } = await standing();
    await update({ endpoints: [taskOf('t2', { nodeId: 'n2' })] });
    const forgotten: object[] = [];
    node.kernel.refuse = (command) => {
      if (command.op === 'neighbour-remove') forgotten.push(command);
    };
    await gone('t2');
    const { namespace } = node;
    const entry = { op: 'neighbour-remove', namespace, link: 'br0', address: '10.0.1.12' };
    expect(forgotten).toEqual([entry]);
  });

  it('shows tasks of Docker Engines this node’s address, and others the client’s', async () => {
    const { node, update } = await standing();
    const [own, docker] = [taskOf('t2', { nodeId: 'n2' }), taskOf('t3', { nodeId: 'n3' })];
    await update({ endpoints: [taskOf('t1'), own, docker] });
    const expected = { '10.0.1.12': 'goto to_own', '10.0.1.13': 'goto to_docker' };
    expect(node.elsewhere()).toEqual(expected);
    await update({ nodes: [nodeOf('n3')] });
    expect(node.elsewhere()['10.0.1.13']).toBe('goto to_own');
  });

  it('answers flows by way of the node that sent them', async () => {
    const { node, update } = await standing();
    const mark = 0x0a000103;
    const rule = { mark, table: mark, priority: 900 };
    expect(node.inner.rules).toEqual([rule]);
    expect(node.inner.routes).toContainEqual({
      destination: 'default',
      gateway: '10.0.1.3',
      link: 'br0',
      table: mark,
    });
    await update({ nodes: [nodeOf('n2', { address: '10.0.1.9/24' })] });
    expect(node.inner.rules).toEqual([{ ...rule, mark: 0x0a000109, table: 0x0a000109 }]);
    await update({ gone: [{ table: 'node', networkId: 'net', id: 'n2' }] });
    expect(node.inner.rules).toEqual([]);
    expect(node.inner.routes.filter(({ link }) => link === 'br0')).toEqual([]);
  });

  it('keeps a client with one task where the service asks for it, alike on all nodes', async () => {
    const [one, other] = [await standing(), await standing()];
    const services = [serviceOf('web', { clientAffinity: true })];
    const tasks = ['t1', 't2', 't3'].map((id) => taskOf(id));
    await one.update({ services, endpoints: tasks });
    for (const task of tasks.toReversed()) await other.update({ services, endpoints: [task] });
    const slots = ({ node }: typeof one) =>
      node.inner.tables.get('skep')?.sets.get('backends')?.elements;
    expect(one.node.verdict(PORT)).toBe('goto keep_512');
    expect(slots(one)?.size).toBe(512);
    expect(slots(other)).toEqual(slots(one));
    await one.update({ services: [serviceOf('web')] });
    expect(one.node.verdict(PORT)).toBe('goto pick_3');
    expect(slots(one)?.size).toBe(3);
  });

  it('takes a change in one round trip to the kernel, and a repetition in none', async () => {
    const { node, update } = await standing();
    const before = node.kernel.batches;
    await update({ endpoints: [taskOf('t1')] });
    await update({ endpoints: [taskOf('t1')] });
    expect(node.kernel.batches - before).toBe(1);
  });

  it('forgets where datagrams went before a port had somebody behind it', async () => {
    const { node, update } = await standing();
    const ports = [{ protocol: 'udp' as const, targetPort: 53, publishedPort: 5353 }];
    await update({ endpoints: [taskOf('t1', { ports })] });
    const match = { protocol: 'udp', originPort: 5353 };
    expect(node.kernel.forgotten).toContainEqual({ namespace: '', match });
    expect(node.kernel.forgotten).toContainEqual({ namespace: node.namespace, match });
  });

  it('says which port another program listens on, until that ends', async () => {
    const { node, update } = await standing();
    node.holder.occupy('tcp', 8080);
    await update({ endpoints: [taskOf('t1')] });
    expect(node.published()).toEqual([PORT]);
    expect(node.mesh.warnings()).toEqual([expect.stringContaining('8080/tcp hides another')]);
    const hidden = () => (['tcp', 'udp'] as const).map((one) => node.mesh.hidesAnother(one, 8080));
    expect(hidden()).toEqual([true, false]);
    node.holder.leave('tcp', 8080);
    await node.clock.advance(MESH_COMPARE_MS);
    expect(node.mesh.warnings()).toEqual([]);
    expect(hidden()).toEqual([false, false]);
  });
});

describe('the routing mesh and the ingress network', () => {
  it('waits for the network to stand', async () => {
    const node = new SimMesh();
    const rows = { networks: [INGRESS], nodes: [HERE], endpoints: [taskOf('t1')] };
    const updated = node.tables.update(updateOf(1n, { complete: true, ...rows }));
    await node.clock.advance(0);
    expect(node.published()).toEqual([]);
    await node.places.make(INGRESS);
    await updated;
    expect(node.published()).toEqual([PORT]);
    expect(node.kernel.host.links.has('skep_in')).toBe(true);
  });

  it('lets the node go on without it when it is not made in time', async () => {
    const node = new SimMesh();
    const rows = { networks: [INGRESS], nodes: [HERE], endpoints: [taskOf('t1')] };
    const updated = node.tables.update(updateOf(1n, { complete: true, ...rows }));
    await node.clock.advance(MESH_WAIT_MS);
    await updated;
    await node.places.make(INGRESS);
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80'] });
  });

  it('goes with it, and comes again with another', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1')] });
    await node.places.remove('net');
    await update({ gone: [{ table: 'network', networkId: 'net', id: '' }] });
    expect(node.kernel.host.links.has('skep_in')).toBe(false);
    expect(node.kernel.host.tables.names()).toEqual([]);
    expect(node.holder.held.size).toBe(0);
    await node.places.make(INGRESS);
    await update({ networks: [INGRESS], nodes: [HERE], endpoints: [taskOf('t1')] });
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80'] });
    expect(node.published()).toEqual([PORT]);
  });

  it('is made anew with its namespace', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1')] });
    await node.kernel.run([{ op: 'namespace-remove', path: node.namespace }]);
    await node.places.make(INGRESS);
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80'] });
    expect(node.inner.links.has('host0')).toBe(true);
  });

  it('has nothing to do with other networks', async () => {
    const { node, update } = await standing();
    const before = node.kernel.batches;
    const task = { ...taskOf('t9'), networkId: 'back', ports: [] };
    const network = { ...INGRESS, id: 'back', ingress: false };
    await update({
      networks: [network],
      nodes: [{ ...THERE, networkId: 'back' }],
      endpoints: [task],
    });
    expect(node.kernel.batches).toBe(before);
  });
});

describe('the routing mesh after trouble', () => {
  it('changes nothing in a kernel that is right after a restart', async () => {
    const { node, update } = await standing();
    const endpoints = ['t1', 't2', 't3'].map((id) => taskOf(id));
    await update({ endpoints });
    await update({ gone: [{ table: 'endpoint', networkId: 'net', id: 't1' }] });
    const changes: string[] = [];
    const later = new SimMesh(node.kernel);
    await later.places.make(INGRESS, true);
    later.kernel.refuse = ({ op }) => void (op === 'sysctl' || changes.push(op));
    const rows = { networks: [INGRESS], nodes: [HERE, THERE], endpoints: endpoints.slice(1) };
    await later.tables.update(updateOf(9n, { complete: true, ...rows }));
    expect(changes).toEqual([]);
    expect(later.mesh.counters).toEqual({ comparisons: 1, differences: 0 });
  });

  it('makes up after a restart for what went on meanwhile', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1'), taskOf('t2', { nodeId: 'n2' })] });
    const later = new SimMesh(node.kernel);
    await later.places.make(INGRESS, true);
    const rows = { networks: [INGRESS], nodes: [HERE, THERE], endpoints: [taskOf('t3')] };
    await later.tables.update(updateOf(9n, { complete: true, ...rows }));
    expect(later.balanced()).toEqual({ [PORT]: ['10.0.1.13 . 80'] });
    expect(later.elsewhere()).toEqual({});
    const forgotten = node.kernel.forgotten.map(({ match }) => match.replySource);
    expect(forgotten.toSorted()).toEqual(['10.0.1.11', '10.0.1.12']);
  });

  it('removes what an earlier daemon left when there is no ingress network any more', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1')] });
    const later = new SimMesh(node.kernel);
    await later.tables.update(updateOf(9n, { complete: true }));
    expect(node.kernel.host.tables.names()).toEqual([]);
    expect(node.kernel.host.links.has('skep_in')).toBe(false);
  });

  it('finds and mends what somebody changed, and counts it', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1'), taskOf('t2')] });
    const { tables } = node.inner;
    const elements = [{ key: `${PORT} . 1`, value: '10.0.1.12 . 80' }];
    tables.apply([{ kind: 'elements-remove', table: 'skep', set: 'backends', elements }]);
    node.inner.rules.splice(0);
    const before = node.mesh.counters.differences;
    await node.clock.advance(MESH_COMPARE_MS);
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80', '10.0.1.12 . 80'] });
    expect(node.mesh.counters.differences - before).toBe(2);
    expect(node.inner.rules).toHaveLength(1);
    tables.apply([{ kind: 'table-remove', table: 'skep' }]);
    await node.kernel.run([{ op: 'link-remove', namespace: '', link: 'skep_in' }]);
    await node.clock.advance(MESH_COMPARE_MS);
    expect(node.balanced()[PORT]).toHaveLength(2);
    expect(node.inner.links.has('host0')).toBe(true);
  });

  it('puts back rules that were taken out of a table whose sets stayed', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1')] });
    const rules = () =>
      [node.inner, node.kernel.host].map(({ tables }) =>
        tables.names().map((name) => [...(tables.get(name)?.chains ?? [])]),
      );
    const before = structuredClone(rules());
    for (const { tables } of [node.inner, node.kernel.host]) {
      for (const name of tables.names()) {
        const chains = [...(tables.get(name)?.chains.keys() ?? [])];
        tables.apply(chains.map((chain) => ({ kind: 'chain-add', table: name, chain, rules: [] })));
      }
    }
    await node.clock.advance(MESH_COMPARE_MS);
    expect(rules()).toEqual(before);
  });

  it('reads no elements while nobody else changes rules', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1'), taskOf('t2')] });
    await node.clock.advance(MESH_COMPARE_MS);
    await update({ endpoints: [taskOf('t3')] });
    const read: string[] = [];
    const tableElements = node.kernel.tableElements.bind(node.kernel);
    node.kernel.tableElements = (namespace, table) => {
      read.push(namespace);
      return tableElements(namespace, table);
    };
    await node.clock.advance(MESH_COMPARE_MS);
    expect(read).toEqual([]);
    expect(node.mesh.counters.comparisons).toBe(3);
  });

  it('compares at once when the kernel refuses a change', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1')] });
    node.inner.tables.apply([{ kind: 'table-remove', table: 'skep' }]);
    await update({ endpoints: [taskOf('t2')] });
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80', '10.0.1.12 . 80'] });
  });

  it('tries again at the next comparison when the kernel cannot', async () => {
    const { node, update } = await standing();
    node.kernel.refuse = ({ op }) => {
      if (op === 'nft') throw new SimRefusal('ENOMEM', 'no memory');
    };
    await update({ endpoints: [taskOf('t1')] });
    expect(node.published()).toEqual([]);
    node.kernel.refuse = undefined;
    await node.clock.advance(MESH_COMPARE_MS);
    expect(node.balanced()).toEqual({ [PORT]: ['10.0.1.11 . 80'] });
    expect(node.published()).toEqual([PORT]);
  });

  it('leaves the kernel as it is when it closes, and nothing when it is removed', async () => {
    const { node, update } = await standing();
    await update({ endpoints: [taskOf('t1')] });
    node.mesh.close();
    expect(node.published()).toEqual([PORT]);
    expect(node.clock.pendingTimers).toBe(0);
    await node.mesh.removeAll();
    expect(node.kernel.host.tables.names()).toEqual([]);
  });
});
