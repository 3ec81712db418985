import { create } from '@bufbuild/protobuf';
import { Code, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { type WeightedPeer, WeightedPeerSchema } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { type RemoteManager, Remotes } from './remotes.js';

const PATH = '/swarm/managers.json';
const MANAGERS: RemoteManager[] = ['m1', 'm2', 'm3'].map((nodeId, index) => ({
  nodeId,
  address: `10.0.0.${index + 1}:2377`,
}));
const [FIRST, SECOND, THIRD] = MANAGERS as [RemoteManager, RemoteManager, RemoteManager];

function peers(...managers: RemoteManager[]): WeightedPeer[] {
  return managers.map(({ address, nodeId }) =>
    create(WeightedPeerSchema, { peer: { nodeId, addr: address }, weight: 10n }),
  );
}

describe('Remotes', () => {
  let disk: SimDisk;
  let remotes: Remotes;
  let random: SimRandom;

  const open = () => Remotes.open({ disk, directory: '/swarm', random, logger: silentLogger });

  beforeEach(async () => {
    disk = new SimDisk();
    await disk.makeDirectory('/swarm');
    random = new SimRandom(3);
    remotes = await open();
  });

  /** How often each manager is chosen of 1,000 times. */
  function shares(exclude?: readonly string[]): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let time = 0; time < 1_000; time++) {
      const { nodeId } = remotes.choose(exclude && { exclude });
      counts[nodeId] = (counts[nodeId] ?? 0) + 1;
    }
    return counts;
  }

  it('knows nobody at first', () => {
    expect(remotes.managers).toEqual([]);
    expect(() => remotes.choose()).toThrow(expect.objectContaining({ code: Code.UNAVAILABLE }));
  });

  it('replaces the addresses of joining by what the managers say, and keeps that', async () => {
    await remotes.add(['10.0.0.1:2377']);
    expect(remotes.choose()).toEqual({ nodeId: '', address: '10.0.0.1:2377' });
    await remotes.update(peers(SECOND, FIRST));
    expect(remotes.managers).toEqual([FIRST, SECOND]);
    disk.crash();
    expect((await open()).managers).toEqual([FIRST, SECOND]);
    expect(JSON.parse(Buffer.from(await disk.readFile(PATH)).toString())[0]).toEqual({
      node_id: 'm1',
      addr: '10.0.0.1:2377',
    });
    expect(disk.modeOf(PATH)).toBe(0o600);
  });

  it('never forgets all managers', async () => {
    await remotes.update(peers(FIRST));
    await remotes.update([]);
    await remotes.update([create(WeightedPeerSchema, { peer: { nodeId: 'm9' } })]);
    await remotes.update([create(WeightedPeerSchema)]);
    expect(remotes.managers).toEqual([FIRST]);
  });

  it('takes a new address of a manager for the old one', async () => {
    await remotes.update(peers(FIRST));
    await remotes.update(peers({ ...FIRST, address: '10.0.0.9:2377' }));
    expect(remotes.managers).toEqual([{ ...FIRST, address: '10.0.0.9:2377' }]);
  });

  it('chooses by weight, the bad ones only where there is no other', async () => {
    await remotes.update(peers(FIRST, SECOND, THIRD));
    const even = shares();
    for (const { nodeId } of MANAGERS) expect(even[nodeId]).toBeGreaterThan(250);
    remotes.observe(FIRST, false);
    remotes.observe(SECOND, false);
    expect(shares()['m3']).toBeGreaterThan(990);
    expect(Object.keys(shares(['m3'])).sort()).toEqual(['m1', 'm2']);
    expect(shares([THIRD.address, 'm2'])).toEqual({ m1: 1_000 });
    expect(() => remotes.choose({ exclude: ['m1', 'm2', 'm3'] })).toThrow();
  });

  it('avoids one where there is another', async () => {
    const avoid = FIRST.address;
    await remotes.update(peers(FIRST));
    expect(remotes.choose({ avoid })).toEqual(FIRST);
    await remotes.update(peers(FIRST, SECOND));
    remotes.observe(SECOND, false);
    for (let time = 0; time < 100; time++) expect(remotes.choose({ avoid })).toEqual(SECOND);
  });

  it('forgets old experiences by halves, within bounds', async () => {
    await remotes.update(peers(FIRST));
    expect(remotes.weightOf(FIRST)).toBe(5);
    remotes.observe(FIRST, true);
    expect(remotes.weightOf(FIRST)).toBe(8);
    remotes.observe(FIRST, false);
    expect(remotes.weightOf(FIRST)).toBe(-1);
    const heavy = create(WeightedPeerSchema, {
      peer: { nodeId: FIRST.nodeId, addr: FIRST.address },
      weight: 1_000_000n,
    });
    for (let time = 0; time < 20; time++) await remotes.update([heavy]);
    expect(remotes.weightOf(FIRST)).toBe(256);
  });

  it('gives a manager that has its name now the experiences with its address', async () => {
    await remotes.add([FIRST.address]);
    const chosen = remotes.choose();
    await remotes.update(peers(FIRST, SECOND));
    remotes.observe(chosen, false);
    expect(remotes.weightOf(FIRST)).toBeLessThan(remotes.weightOf(SECOND)!);
  });

  it('takes no notice of experiences with managers of before', async () => {
    await remotes.update(peers(FIRST));
    remotes.observe(SECOND, true);
    expect(remotes.weightOf(SECOND)).toBeUndefined();
    expect(remotes.managers).toEqual([FIRST]);
  });

  it('writes only what changed, and always the latest', async () => {
    await remotes.update(peers(FIRST));
    const before = disk.operations;
    await remotes.update(peers(FIRST));
    expect(disk.operations).toBe(before);
    const first = remotes.update(peers(FIRST, SECOND));
    const second = remotes.update(peers(THIRD));
    await Promise.all([first, second]);
    expect((await open()).managers).toEqual([THIRD]);
  });

  it('goes on in memory when the disk fails, and without a list that is damaged', async () => {
    await remotes.update(peers(FIRST));
    disk.cutPowerAt(disk.operations + 1);
    await remotes.update(peers(SECOND));
    expect(remotes.managers).toEqual([SECOND]);
    disk.crash();
    expect((await open()).managers).toEqual([FIRST]);
    for (const text of ['{', '{}', '[{}]', '[null]', '[{"node_id":"","addr":""}]']) {
      await disk.writeFileAtomic(PATH, Buffer.from(text));
      expect((await open()).managers).toEqual([]);
    }
  });
});
