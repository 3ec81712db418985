import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TableUpdate } from '../../tables/contract.js';
import { endpointOf, networkOf, serviceOf, updateOf } from '../../tables/objects.sim.js';
import { Tables } from '../../tables/tables.js';
import { NameIndex } from './name-index.js';

const NETWORKS = ['net', 'other'];
const NAMES = ['web', 'db', 'Web', 'tasks.web', 'web.1', 'x'];
const SERVICES = ['s1', 's2', 's3'];
const ENDPOINTS = ['t1', 't2', 't3', 't4'];

const networkId = fc.constantFrom(...NETWORKS);
const name = fc.constantFrom(...NAMES);
const names = fc.array(name, { maxLength: 3 });
const last = fc.integer({ min: 2, max: 9 });

const service = fc
  .record({ networkId, id: fc.constantFrom(...SERVICES), name, names, last })
  .map((made): Partial<TableUpdate> => {
    const virtualIp = made.last > 5 ? `10.0.1.${made.last}` : '';
    const more = { networkId: made.networkId, name: made.name, aliases: made.names, virtualIp };
    return { services: [serviceOf(made.id, more)] };
  });
const endpoint = fc
  .record({
    ...{ networkId, name, names, ready: fc.boolean(), slot: fc.nat({ max: 2 }) },
    id: fc.constantFrom(...ENDPOINTS),
    serviceId: fc.constantFrom('', ...SERVICES),
    lasts: fc.array(last, { maxLength: 2 }),
  })
  .map(({ id, names: aliases, lasts, ...made }): Partial<TableUpdate> => {
    const addresses = lasts.map((number) => `10.0.1.${number}/24`);
    return { endpoints: [endpointOf(id, { ...made, aliases, addresses })] };
  });
const gone = fc
  .record({
    networkId,
    table: fc.constantFrom('network' as const, 'service' as const, 'endpoint' as const),
    id: fc.constantFrom(...SERVICES, ...ENDPOINTS),
  })
  .map((row): Partial<TableUpdate> => ({ gone: [row] }));
const network = networkId.map((id): Partial<TableUpdate> => ({ networks: [networkOf(id)] }));

/** All that an index says, in any order where order means nothing. */
function everything(index: NameIndex): unknown[] {
  return NETWORKS.map((id) => {
    const known = index.network(id);
    const asked = [...NAMES, 'web.2', 'tasks.db', 'x.1'].map((each) => each.toLowerCase());
    const found = asked.map((each) => known?.find(each)?.map(({ reverseName }) => reverseName));
    const owners = Array.from({ length: 10 }, (_, number) => {
      return known?.findReverse(`${number}.1.0.10.in-addr.arpa`) !== undefined;
    });
    return [found.map((each) => each?.sort()), owners];
  });
}

it('an index that followed all changes says what one says that sees the end alone', async () => {
  const steps = fc.array(fc.oneof(network, service, endpoint, gone), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      const tables = new Tables();
      const followed = new NameIndex();
      tables.addReader(followed);
      const start = { complete: true, networks: NETWORKS.map((id) => networkOf(id)) };
      await tables.update(updateOf(1n, start));
      for (const change of changes) await tables.update(updateOf(2n, change));
      const fresh = new NameIndex();
      tables.addReader(fresh);
      expect(everything(followed)).toEqual(everything(fresh));
    }),
    { numRuns: 300 },
  );
});
