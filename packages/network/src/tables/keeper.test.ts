import { SimClock, SimDisk, silentLogger } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { TABLES_KEPT_EVERY_MS } from '../limits.js';
import { TablesKeeper } from './keeper.js';
import { endpointOf, networkOf, nodeOf, serviceOf, updateOf } from './objects.sim.js';
import { Tables } from './tables.js';

const DIRECTORY = '/run/skep/network';
const FULL = {
  complete: true,
  networks: [networkOf('net')],
  nodes: [nodeOf('n1', { wireguardKey: new Uint8Array(32).fill(200), wireguardPort: 51_820 })],
  services: [serviceOf('web')],
  endpoints: [endpointOf('t1', { serviceId: 'web' })],
};

let clock: SimClock;
let disk: SimDisk;
let tables: Tables;
let keeper: TablesKeeper;

function newKeeper(): TablesKeeper {
  return new TablesKeeper({ clock, disk, directory: DIRECTORY, logger: silentLogger });
}

beforeEach(() => {
  clock = new SimClock();
  disk = new SimDisk();
  tables = new Tables();
  keeper = newKeeper();
  tables.addReader(keeper);
});

describe('the tables that are kept', () => {
  it('come back as they were', async () => {
    await tables.update(updateOf(7n, FULL));
    const endpoints = [...FULL.endpoints, endpointOf('t2')];
    await tables.update(updateOf(8n, { endpoints }));
    await clock.advance(TABLES_KEPT_EVERY_MS);
    expect(await newKeeper().load()).toEqual(updateOf(8n, { ...FULL, endpoints }));
    expect(clock.pendingTimers).toBe(0);
  });

  it('have a network in them before anything else is done in it', async () => {
    await tables.update(updateOf(7n, FULL));
    expect(await newKeeper().load()).toEqual(updateOf(7n, FULL));
    await tables.update(updateOf(8n, { endpoints: [endpointOf('t2')] }));
    expect((await newKeeper().load())?.version).toBe(7n);
    const network = networkOf('other');
    await Promise.all([
      tables.update(updateOf(9n, { networks: [network] })),
      tables.update(updateOf(10n, { gone: [{ table: 'network', networkId: 'net', id: '' }] })),
    ]);
    expect((await newKeeper().load())?.networks).toEqual([network]);
  });

  it('are written once for many changes, and the last of them is in it', async () => {
    await tables.update(updateOf(7n, FULL));
    for (let at = 1; at <= 20; at++) {
      await tables.update(updateOf(7n + BigInt(at), { endpoints: [endpointOf(`x${at}`)] }));
      await clock.advance(TABLES_KEPT_EVERY_MS / 10);
    }
    await keeper.flush();
    const kept = await newKeeper().load();
    expect(kept?.version).toBe(27n);
    expect(kept?.endpoints).toHaveLength(21);
  });

  it('are none when the file is spoilt or of another kind, and can be written again', async () => {
    await disk.makeDirectory(DIRECTORY);
    for (const text of ['{', '{"format":0}', 'null', '{"format":1,"version":"x","nodes":[]}']) {
      await disk.writeFileAtomic(`${DIRECTORY}/tables.json`, Buffer.from(text));
      expect(await newKeeper().load()).toBeUndefined();
    }
    await tables.update(updateOf(7n, FULL));
    await keeper.flush();
    expect((await newKeeper().load())?.version).toBe(7n);
  });

  it('wait for a disk that is full, and are forgotten when the node leaves', async () => {
    disk.injectFault({ code: 'ENOSPC', operation: 'write' });
    await tables.update(updateOf(7n, FULL));
    expect(await newKeeper().load()).toBeUndefined();
    await tables.update(updateOf(8n, { endpoints: [endpointOf('t2')] }));
    await keeper.flush();
    expect((await newKeeper().load())?.version).toBe(8n);
    await tables.update(updateOf(9n, { endpoints: [endpointOf('t3')] }));
    await keeper.remove();
    await clock.advance(TABLES_KEPT_EVERY_MS);
    expect(await newKeeper().load()).toBeUndefined();
  });
});
