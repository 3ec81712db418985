import type { NodeObject } from '@skep/wire';
import { markOwnAgent } from '@skep/wire';
import type { NetworksUpdate } from '@skep/wire/skep';
import { NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { nodeOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { networksOfNode } from './derive.js';
import { NodeTables } from './node-tables.js';
import { attachments, overlayOf, runningTask, serviceWith } from './objects.sim.js';
import { TableRows } from './table-rows.js';
import { SimTables } from './tables.sim.js';

// Small, so that updates of several messages, and nodes that must begin anew, come up often.
vi.mock('./limits.js', async (load) => ({
  ...(await load<object>()),
  ROWS_PER_MESSAGE: 2,
  CHANGED_ROWS_MAX: 3,
}));

const NETWORKS = ['a', 'b', 'ingress'];
const NODES = ['n1', 'n2', 'n3'];

const deed = fc.record({
  action: fc.constantFrom(
    ...['network', 'drop network', 'node', 'drop node', 'attach', 'state', 'describe'],
    ...['service', 'drop service', 'task', 'task', 'advance', 'advance', 'stop', 'drop task'],
    ...['withdraw', 'read', 'read', 'read'],
  ),
  node: fc.constantFrom(...NODES),
  at: fc.nat(3),
  networks: fc.subarray(NETWORKS),
  state: fc.constantFrom(NodeStatus_State.READY, NodeStatus_State.DOWN, NodeStatus_State.UNKNOWN),
});
type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never;

const TASK_STATES = [TaskState.PENDING, TaskState.ASSIGNED, TaskState.RUNNING, TaskState.FAILED];

/** A leader's rows, and nodes that read what they are told at their leisure. */
class World {
  readonly sim = new SimRoom();
  readonly withdrawn = new Set<string>();
  readonly rows = new TableRows({
    withdrawn: this.withdrawn,
    onChange: (key) => {
      for (const { tables } of this.readers.values()) tables.mark(key);
    },
  });
  readonly readers = new Map(NODES.map((nodeId) => [nodeId, this.#reader(nodeId)]));

  constructor() {
    const { store } = this.sim;
    store.subscribe(({ changes }) => this.rows.apply(changes, store.view));
  }

  #reader(nodeId: string) {
    const open: Generator<NetworksUpdate> | undefined = undefined;
    return { tables: new NodeTables(nodeId, this.rows), known: new SimTables(), open } as {
      tables: NodeTables;
      known: SimTables;
      open: Generator<NetworksUpdate> | undefined;
    };
  }

  /** One message, of an update begun before if there is one; false when there is none. */
  read(nodeId: string): boolean {
    const reader = this.readers.get(nodeId)!;
    reader.open ??= reader.tables.next(() => 1n);
    const { done, value } = reader.open.next();
    if (done) reader.open = undefined;
    else reader.known.apply(value);
    return !done;
  }

  async perform(one: Deed, step: number): Promise<void> {
    const { action, at, networks, node, state } = one;
    const { sim } = this;
    const { view } = sim.store;
    const addresses = Object.fromEntries(networks.map((id, n) => [id, `10.0.${n}.${step}/24`]));
    const object = view.get('node', node);
    const task = view.get('task', `t${at}`);
    const name = NETWORKS[at % NETWORKS.length]!;
    if (action === 'network') await sim.put('network', overlayOf(name, step % 7));
    else if (action === 'drop network') await this.#drop('network', name);
    else if (action === 'drop node') await this.#drop('node', node);
    else if (action === 'drop service') await this.#drop('service', `s${at}`);
    else if (action === 'drop task') await this.#drop('task', `t${at}`);
    else if (action === 'node') await this.#put(nodeOf(node), addresses);
    else if (action === 'attach' && object) await this.#put(object, addresses);
    else if (action === 'state' && object) {
      await sim.put('node', { ...object, status: { ...object.status, state } });
    } else if (action === 'describe' && object?.description) {
      const plain = nodeOf(node).description!;
      const description = markOwnAgent(plain, { address: `192.168.9.${step}` });
      await sim.put('node', { ...object, description });
    } else if (action === 'service') await this.#putService(`s${at}`, networks, step);
    else if (action === 'task' && !task) {
      await sim.put('task', runningTask(`t${at}`, node, addresses, { serviceId: `s${step % 3}` }));
    } else if (action === 'advance' && task) {
      const next = TASK_STATES[step % TASK_STATES.length]!;
      await sim.put('task', { ...task, status: { ...task.status, state: next } });
    } else if (action === 'stop' && task) {
      await sim.put('task', { ...task, desiredState: TaskState.SHUTDOWN });
    } else if (action === 'withdraw') {
      this.withdrawn.add(`t${at}`);
      this.rows.putTask(view, `t${at}`);
    } else if (action === 'read') this.read(node);
  }

  async #drop(table: 'network' | 'node' | 'service' | 'task', id: string): Promise<void> {
    if (this.sim.store.view.get(table, id)) await this.sim.remove(table, id);
  }

  async #put(node: NodeObject, addresses: Record<string, string>): Promise<void> {
    const attached = nodeOf(node.id, { attachments: attachments(addresses) }).attachments;
    await this.sim.put('node', { ...node, attachments: attached });
  }

  async #putService(id: string, networkIds: string[], step: number): Promise<void> {
    const labels: Record<string, string> = step % 2 === 0 ? { 'skep.affinity': 'client' } : {};
    const [first, ...others] = networkIds;
    const task = { networks: others.map((target) => ({ target, aliases: [`x${step}`] })) };
    const spec = { annotations: { name: id, labels }, task };
    const virtualIps = first ? { [first]: `10.0.9.${step}/24` } : {};
    await this.sim.put('service', serviceWith(id, spec, virtualIps));
  }
}

it('a network that goes while it is told of, and comes back, is told of from the start', async () => {
  const world = new World();
  const { sim } = world;
  await sim.put('network', overlayOf('a', 1), overlayOf('b', 2));
  const attached = attachments({ a: '10.0.1.2/24', b: '10.0.2.2/24' });
  await sim.put('node', nodeOf('n1', { attachments: attached }));
  expect(world.read('n1')).toBe(true);
  await sim.remove('network', 'b');
  while (world.read('n1'));
  await sim.put('network', overlayOf('b', 2));
  while (world.read('n1'));
  const said = SimTables.of(networksOfNode(sim.store.view, 'n1'));
  expect(world.readers.get('n1')?.known.lines).toEqual(said.lines);
});

it('changes applied one after the other come to what the store says, whenever they are read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 10, maxLength: 80 }), async (deeds) => {
      const world = new World();
      for (const [step, one] of deeds.entries()) await world.perform(one, step);
      for (const [nodeId, { known, tables }] of world.readers) {
        while (world.read(nodeId) || tables.isDue);
        const { view } = world.sim.store;
        const said = networksOfNode(view, nodeId, world.withdrawn);
        expect(known.lines).toEqual(SimTables.of(said).lines);
      }
      const again = new TableRows({ withdrawn: world.withdrawn, onChange: () => {} });
      again.fill(world.sim.store.view);
      for (const id of NETWORKS) {
        const keys = (rows: TableRows) => rows.keysOf(id).map(({ id, table }) => `${table} ${id}`);
        expect(keys(world.rows).sort()).toEqual(keys(again).sort());
      }
    }),
    { numRuns: 150, seed: 11 },
  );
});
