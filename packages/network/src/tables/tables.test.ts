import { describe, expect, it } from 'vitest';
import type { TableChange, TableUpdate } from './contract.js';
import { endpointOf, networkOf, nodeOf, serviceOf, updateOf } from './objects.sim.js';
import { Tables } from './tables.js';

/** Remembers what it is told, and takes as long over it as the test wants. */
class Listener {
  readonly name = 'listener';
  readonly batches: TableChange[][] = [];
  hold: Promise<void> | undefined;

  async apply(changes: readonly TableChange[]): Promise<void> {
    await this.hold;
    this.batches.push([...changes]);
  }

  get told(): string[] {
    return this.batches.flat().map(({ table, before, after }) => {
      const row = (after ?? before) as unknown as Record<string, string>;
      return `${before ? (after ? '~' : '-') : '+'}${table} ${row.serviceId ?? ''}${row.id ?? ''}`;
    });
  }
}

const WEB = serviceOf('web');
const FULL: Partial<TableUpdate> = {
  complete: true,
  networks: [networkOf('net')],
  nodes: [nodeOf('n1'), nodeOf('n2')],
  services: [WEB],
  endpoints: [endpointOf('t1', { serviceId: 'web' }), endpointOf('t2', { serviceId: 'web' })],
};

async function filled() {
  const tables = new Tables();
  const listener = new Listener();
  tables.addReader(listener);
  await tables.update(updateOf(5n, FULL));
  listener.batches.length = 0;
  return { tables, listener };
}

describe('the tables', () => {
  it('hold what they were told, by network and by service', async () => {
    const { tables } = await filled();
    expect(tables.version).toBe(5n);
    expect(tables.nodes('net').map(({ nodeId }) => nodeId)).toEqual(['n1', 'n2']);
    expect(tables.endpointsOfService('net', 'web').map(({ id }) => id)).toEqual(['t1', 't2']);
    expect(tables.service('net', 'web')).toEqual(WEB);
    expect(tables.endpoints('another')).toEqual([]);
  });

  it('tell of changes alone', async () => {
    const { tables, listener } = await filled();
    const changed = endpointOf('t1', { serviceId: 'web', ready: false });
    const known = endpointOf('t2', { serviceId: 'web' });
    await tables.update(updateOf(6n, { endpoints: [changed, known] }));
    expect(listener.told).toEqual(['~endpoint webt1']);
  });

  it('lose with a complete update what is not in it', async () => {
    const { tables, listener } = await filled();
    const less = {
      ...FULL,
      nodes: [nodeOf('n1')],
      endpoints: [endpointOf('t1', { serviceId: 'web' })],
    };
    await tables.update(updateOf(7n, less));
    expect(listener.told).toEqual(['-endpoint webt2', '-node ']);
    expect(tables.endpointsOfService('net', 'web').map(({ id }) => id)).toEqual(['t1']);
  });

  it('lose all of a network that is gone, what is in it first', async () => {
    const { tables, listener } = await filled();
    await tables.update(updateOf(8n, { gone: [{ table: 'network', networkId: 'net', id: '' }] }));
    expect(listener.told.at(-1)).toBe('-network net');
    expect(listener.told).toHaveLength(6);
    expect(tables.networks()).toEqual([]);
    await tables.update(updateOf(9n, { endpoints: [endpointOf('t3')] }));
    expect(tables.endpoints('net')).toEqual([]);
  });

  it('move an endpoint to another service', async () => {
    const { tables } = await filled();
    await tables.update(updateOf(6n, { endpoints: [endpointOf('t1', { serviceId: 'api' })] }));
    expect(tables.endpointsOfService('net', 'web').map(({ id }) => id)).toEqual(['t2']);
    expect(tables.endpointsOfService('net', 'api').map(({ id }) => id)).toEqual(['t1']);
  });

  it('are done with an update when their readers are, who get what came meanwhile at once', async () => {
    const { tables, listener } = await filled();
    let letGo = () => {};
    listener.hold = new Promise((resolve) => {
      letGo = resolve;
    });
    const done: bigint[] = [];
    const updates = [6n, 7n, 8n].map(async (version) => {
      await tables.update(updateOf(version, { endpoints: [endpointOf(`t${version}`)] }));
      done.push(version);
    });
    await Promise.resolve();
    expect(done).toEqual([]);
    letGo();
    await Promise.all(updates);
    expect(listener.batches.map((batch) => batch.length)).toEqual([1, 2]);
  });

  it('tell that all is known, also when that is no news', async () => {
    const { tables, listener } = await filled();
    await tables.update(updateOf(6n, FULL));
    expect(listener.batches).toEqual([[]]);
    await tables.update(updateOf(7n, {}));
    expect(listener.batches).toHaveLength(1);
  });

  it('tell a new reader all there is', async () => {
    const { tables } = await filled();
    const late = new Listener();
    tables.addReader(late);
    await tables.update(updateOf(6n, {}));
    expect(late.told).toHaveLength(6);
    expect(late.told[0]).toBe('+network net');
  });
});
