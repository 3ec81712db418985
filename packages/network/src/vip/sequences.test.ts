import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NetworkEndpoint, NetworkService } from '../tables/contract.js';
import { endpointOf, serviceOf } from '../tables/objects.sim.js';
import { attachedOf, SimVips, sandboxOf } from './setup.sim.js';

/** Whatever happens in whatever order, containers reach what one that has just come would reach. */

const SERVICES = ['a', 'b', 'c'];
const vipOf = (serviceId: string) => `10.0.1.${100 + SERVICES.indexOf(serviceId)}`;

const service = fc.record({
  serviceId: fc.constantFrom(...SERVICES),
  clientAffinity: fc.boolean(),
  hasVip: fc.boolean(),
  isGone: fc.boolean(),
});
const endpoint = fc.record({
  number: fc.integer({ min: 1, max: 7 }),
  serviceId: fc.constantFrom(...SERVICES),
  ready: fc.boolean(),
  isGone: fc.boolean(),
});
const update = fc.record({
  services: fc.array(service, { maxLength: 3 }),
  endpoints: fc.array(endpoint, { maxLength: 4 }),
  /** What the node goes through besides. */
  event: fc.constantFrom('none', 'none', 'restart', 'spoil', 'look'),
});

type Update = typeof update extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly node = new SimVips();
  readonly services = new Map<string, NetworkService>();
  readonly endpoints = new Map<string, NetworkEndpoint>();

  /** The rows of an update as the tables take them; what is named twice counts as said last. */
  async apply({ services, endpoints }: Update): Promise<void> {
    for (const { serviceId, clientAffinity, hasVip, isGone } of services) {
      const virtualIp = hasVip ? vipOf(serviceId) : '';
      if (isGone) this.services.delete(serviceId);
      else this.services.set(serviceId, serviceOf(serviceId, { clientAffinity, virtualIp }));
    }
    for (const { number, serviceId, ready, isGone } of endpoints) {
      const id = `t${number}`;
      if (isGone) this.endpoints.delete(id);
      else this.endpoints.set(id, endpointOf(id, { serviceId, ready }));
    }
    await this.tell();
  }

  tell(): Promise<void> {
    const rows = { services: [...this.services.values()], endpoints: [...this.endpoints.values()] };
    return this.node.complete(rows);
  }

  async happen(event: Update['event']): Promise<void> {
    const { node } = this;
    const { tables } = node.kernel.at('/netns/c1');
    if (event === 'spoil' && tables.get('skep')) {
      tables.apply([{ kind: 'set-flush', table: 'skep', set: 'backends' }]);
    }
    if (event === 'spoil' || event === 'look') await node.clock.advance(30_000);
    if (event !== 'restart') return;
    node.restart();
    await node.attach(sandboxOf('c1'));
    await this.tell();
  }

  /**
   * Ready backends by virtual IP; of a service with affinity, any one of them; none behind those of
   * services that are gone.
   */
  check(balanced: Record<string, string[]>): void {
    const own = [...this.services.values()].filter(({ virtualIp }) => virtualIp);
    const vips = own.map(({ virtualIp }) => virtualIp).sort();
    expect(Object.keys(balanced)).toEqual(expect.arrayContaining(vips));
    const others = Object.entries(balanced).filter(([vip]) => !vips.includes(vip));
    for (const [, targets] of others) expect(targets).toEqual([]);
    for (const { serviceId, virtualIp, clientAffinity } of own) {
      const ready = [...this.endpoints.values()]
        .filter((one) => one.serviceId === serviceId && one.ready)
        .map(({ addresses }) => addresses[0]?.replace('/24', '') ?? '');
      const seen = balanced[virtualIp] ?? [];
      if (!clientAffinity) expect(seen).toEqual(ready.sort());
      else {
        expect(seen).toHaveLength(Math.min(1, ready.length));
        expect(ready).toEqual(expect.arrayContaining(seen));
      }
    }
  }
}

it('leads to what a container that comes new is led to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(update, { maxLength: 8 }), async (updates) => {
      const world = new World();
      await world.node.attach(sandboxOf('c1'));
      for (const one of updates) {
        await world.apply(one);
        await world.happen(one.event);
        world.check(world.node.balanced('c1') ?? {});
      }
      await world.node.attach(sandboxOf('new', [attachedOf('net')]));
      world.check(world.node.balanced('new') ?? {});
    }),
  );
});
