import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimTables } from '../kernel/simulated/tables.js';
import { IngressSet } from '../rules/ingress-table.js';
import { type Backend, Balancer } from './balancer.js';

const backend = (publishedPort: number, task: number): Backend => ({
  protocol: 'tcp',
  publishedPort,
  address: `10.0.0.${task}`,
  targetPort: 80,
});

/** Backends by port as the tables would pick them; throws when a pick could miss. */
function backendsByPort(tables: SimTables): Record<string, string[]> {
  const table = tables.get('t');
  const slots = table?.sets.get(IngressSet.BACKENDS)?.elements ?? new Map<string, string>();
  const services = table?.sets.get(IngressSet.SERVICES)?.elements ?? new Map<string, string>();
  const ports: Record<string, string[]> = {};
  for (const [key, verdict] of services) {
    const count = Number(verdict.replace('goto pick_', ''));
    const targets = Array.from({ length: count }, (_, slot) => {
      const target = slots.get(`${key} . 0x${slot.toString(16).padStart(8, '0')}`);
      if (!target) throw new Error(`${key} has no slot ${slot} of ${count}`);
      return target;
    });
    ports[key] = targets.sort();
  }
  const expected = Object.values(ports).flat().length;
  if (slots.size !== expected) throw new Error(`${slots.size} slots, ${expected} in use`);
  return ports;
}

describe('Balancer', () => {
  it('leaves slots without gaps and no leftovers, whatever comes and goes', () => {
    const step = fc.record({
      add: fc.boolean(),
      port: fc.integer({ min: 80, max: 82 }),
      task: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const balancer = new Balancer('t');
        const tables = new SimTables();
        tables.apply(balancer.rebuild());
        const truth = new Map<string, Set<string>>();
        for (const { add, port, task } of steps) {
          const targets = truth.get(`tcp . ${port}`) ?? new Set<string>();
          truth.set(`tcp . ${port}`, targets);
          const before = targets.size;
          if (add) targets.add(`10.0.0.${task} . 80`);
          else targets.delete(`10.0.0.${task} . 80`);
          const one = backend(port, task);
          const effect = add ? balancer.add(one) : balancer.remove(one);
          tables.apply(effect.changes);
          const opened = before === 0 && targets.size === 1;
          const closed = before === 1 && targets.size === 0;
          expect(effect.port).toBe(opened ? 'opened' : closed ? 'closed' : 'same');
        }
        const open = [...truth].filter(([, targets]) => targets.size > 0);
        const expected = Object.fromEntries(
          open.map(([key, targets]) => [key, [...targets].sort()]),
        );
        expect(backendsByPort(tables)).toEqual(expected);
        tables.apply(balancer.rebuild());
        expect(backendsByPort(tables)).toEqual(expected);
      }),
    );
  });

  it('changes the same few elements, however many services there are', () => {
    const balancer = new Balancer('t');
    for (let port = 1; port <= 2_000; port++) balancer.add(backend(port, 1));
    const { changes } = balancer.add(backend(7, 2));
    const elements = changes.flatMap((change) => ('elements' in change ? change.elements : []));
    expect(elements.length).toBe(3);
  });

  it('declares a chain before the verdict that leads to it, and only once', () => {
    const balancer = new Balancer('t');
    const first = balancer.add(backend(80, 1)).changes.map(({ kind }) => kind);
    expect(first).toEqual(['elements-add', 'chain-add', 'elements-add']);
    const second = balancer.add(backend(81, 1)).changes.map(({ kind }) => kind);
    expect(second).not.toContain('chain-add');
  });
});
