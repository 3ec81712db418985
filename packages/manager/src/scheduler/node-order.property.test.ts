import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeOf, taskOf } from '../testing/objects.sim.js';
import { NodeInfo } from './node-info.js';
import { NodeOrder } from './node-order.js';
import { place } from './place.js';

const TIME = { nowMs: 0, monotonicMs: 0 };

/** Some nodes, and the same with an order that is kept. */
function twins(loads: readonly number[]) {
  const order = new NodeOrder();
  const [plain, ordered] = [() => {}, (node: NodeInfo) => order.moved(node)].map((onMoved) =>
    loads.map((load, at) => {
      const node = new NodeInfo(nodeOf(`n${at}`), at, onMoved);
      for (let task = 0; task < load; task++) node.put(taskOf(`old-${at}-${task}`));
      return node;
    }),
  ) as [NodeInfo[], NodeInfo[]];
  for (const node of ordered) order.add(node);
  return { plain, ordered, order };
}

const loads = fc.array(fc.nat(4), { minLength: 1, maxLength: 70, size: 'max' });
const group = fc.record({
  service: fc.constantFrom('a', 'b', 'c', ''),
  count: fc.integer({ min: 1, max: 5 }),
  maxReplicas: fc.bigInt(0n, 2n),
});

it('a few tasks find the nodes that a look at all of them would find', () => {
  fc.assert(
    fc.property(loads, fc.array(group, { maxLength: 12, size: 'max' }), (given, groups) => {
      const { plain, ordered, order } = twins(given);
      for (const [turn, { service, count, maxReplicas }] of groups.entries()) {
        const tasks = Array.from({ length: count }, (_, at) =>
          taskOf(`t${turn}-${at}`, { serviceId: service, spec: { placement: { maxReplicas } } }),
        );
        const slow = place(tasks, plain, TIME);
        const fast = place(tasks, ordered, TIME, order);
        expect(fast.assigned.map(({ nodeId }) => nodeId)).toEqual(
          slow.assigned.map(({ nodeId }) => nodeId),
        );
        expect(fast.refusal).toBe(slow.refusal);
      }
    }),
    { numRuns: 200, seed: 21 },
  );
});

it('nodes stay in order while they come, go, fill and empty', () => {
  const step = fc.tuple(fc.constantFrom('put', 'drop', 'remove', 'add'), fc.nat(69));
  fc.assert(
    fc.property(loads, fc.array(step, { maxLength: 60, size: 'max' }), (given, steps) => {
      const { ordered, order } = twins(given);
      const present = new Set(ordered);
      for (const [turn, [kind, at]] of steps.entries()) {
        const node = ordered[at % ordered.length]!;
        if (kind === 'put') node.put(taskOf(`new-${turn}`));
        else if (kind === 'drop') node.drop(`old-${node.order}-0`);
        else if (kind === 'remove' && present.delete(node)) order.remove(node);
        else if (kind === 'add' && !present.has(node)) {
          present.add(node);
          order.add(node);
        }
      }
      const sorted = [...present].sort((a, b) => a.active - b.active || a.order - b.order);
      expect([...order.inOrder()].map(({ id }) => id)).toEqual(sorted.map(({ id }) => id));
    }),
    { numRuns: 200, seed: 22 },
  );
});
