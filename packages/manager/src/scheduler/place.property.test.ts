import {
  NodeSpec_Availability,
  NodeStatus_State,
  PortConfig_PublishMode,
} from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeOf, taskOf } from '../testing/objects.sim.js';
import { demandOf } from './demand.js';
import { FILTERS } from './filters.js';
import { NodeInfo } from './node-info.js';
import { place } from './place.js';

const node = fc.record({
  cpus: fc.bigInt(0n, 4n),
  memory: fc.bigInt(0n, 4n),
  ready: fc.boolean(),
  zone: fc.constantFrom('a', 'b'),
  tasks: fc.nat(3),
});

const wish = fc.record({
  count: fc.integer({ min: 1, max: 12 }),
  cpus: fc.bigInt(0n, 2n),
  memory: fc.bigInt(0n, 2n),
  zone: fc.constantFrom('', 'a', 'b', 'c'),
  port: fc.constantFrom(0, 80),
  maxReplicas: fc.bigInt(0n, 3n),
});

type NodeShape = typeof node extends fc.Arbitrary<infer T> ? T : never;
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

function build({ cpus, memory, ready, zone, tasks }: NodeShape, at: number): NodeInfo {
  const availability = NodeSpec_Availability.ACTIVE;
  const state = ready ? NodeStatus_State.READY : NodeStatus_State.DOWN;
  const init = {
    spec: { annotations: { labels: { zone } }, availability },
    status: { state },
    description: { resources: { nanoCpus: cpus, memoryBytes: memory } },
  };
  const info = new NodeInfo(nodeOf(`n${at}`, init), at);
  for (let task = 0; task < tasks; task++) {
    info.put(taskOf(`old-${at}-${task}`, { nodeId: `n${at}`, serviceId: task === 0 ? 's' : 'x' }));
  }
  return info;
}

function tasksOf({ count, cpus, memory, zone, port, maxReplicas }: Wish) {
  const constraints = zone === '' ? [] : [`node.labels.zone == ${zone}`];
  const publishMode = PortConfig_PublishMode.HOST;
  return Array.from({ length: count }, (_, at) =>
    taskOf(`t${at}`, {
      serviceId: 's',
      spec: {
        resources: { reservations: { nanoCpus: cpus, memoryBytes: memory } },
        placement: { constraints, maxReplicas },
      },
      endpoint: { ports: [{ targetPort: 1, publishedPort: port, publishMode }] },
    }),
  );
}

/** The slow obvious way: of the nodes no filter refuses, the one with the least on it. */
function bestOf(infos: NodeInfo[], task: ReturnType<typeof taskOf>): NodeInfo | undefined {
  const checks = FILTERS.map((filter) => filter.checkFor(task) ?? (() => true));
  const open = infos.filter((info) => checks.every((check) => check(info)));
  return open.sort(
    (a, b) =>
      a.activeOfService('s') - b.activeOfService('s') || a.active - b.active || a.order - b.order,
  )[0];
}

it('places as choosing the best node anew for each task does, and explains every refusal', () => {
  fc.assert(
    fc.property(fc.array(node, { maxLength: 8 }), wish, (shapes, wanted) => {
      const tasks = tasksOf(wanted);
      const slow = shapes.map(build);
      const expected: string[] = [];
      for (const task of tasks) {
        const best = bestOf(slow, task);
        if (!best) break;
        best.put({ ...task, nodeId: best.id }, demandOf(task));
        expected.push(best.id);
      }
      const fast = shapes.map(build);
      const placed = place(tasks, fast, { nowMs: 0, monotonicMs: 0 });
      expect(placed.assigned.map(({ nodeId }) => nodeId)).toEqual(expected);
      expect(placed.refused).toHaveLength(tasks.length - expected.length);
      const reason = placed.refused[0] ? explain(fast, placed.refused[0]) : '';
      expect(placed.refusal.replace(/\): .*/, ')')).toBe(reason);
    }),
    { numRuns: 300, seed: 11 },
  );
});

/** Each node counted for the first filter that refuses it. */
function explain(infos: NodeInfo[], task: ReturnType<typeof taskOf>): string {
  const counts = FILTERS.map(() => 0);
  const first: number[] = [];
  for (const info of infos) {
    const at = FILTERS.findIndex((filter) => filter.checkFor(task)?.(info) === false);
    expect(at).toBeGreaterThanOrEqual(0);
    if (counts[at] === 0) first.push(at);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  if (first.length === 0) return 'no suitable node';
  const order = first.sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0));
  const reasons = order.map((at) => FILTERS[at]?.explain(counts[at] ?? 0));
  return `no suitable node (${reasons.join('; ')})`;
}
