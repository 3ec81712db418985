import { SimRandom } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeBulkSync, encodeCompound } from '../codec/envelope.js';
import { Keyring } from '../codec/keyring.js';
import { encodeStreamMessage, sealStream } from '../codec/stream.js';
import { KEYS, put, SimCluster, type SimNode, tableOf, text } from '../testing/cluster.sim.js';

let cluster: SimCluster;

beforeEach(() => {
  cluster = new SimCluster();
});

const statesOf = ({ node }: SimNode) => node.members().map(({ state }) => state);

describe('nodes of a cluster', () => {
  it('find each other by one address', async () => {
    const nodes = await cluster.form(5);
    for (const { node } of nodes) {
      expect(new Set(node.members().map(({ name }) => name)).size).toBe(5);
      expect(node.networkMembers('net')).toHaveLength(5);
      expect(node.stats()).toMatchObject({ members: 5, failed: 0, malformed: 0, healthScore: 0 });
    }
  });

  it('share what each writes, at once', async () => {
    const nodes = await cluster.form(4);
    const [first, second] = nodes as [SimNode, SimNode];
    nodes.forEach((node, at) => {
      put(node, `k${at}`, `v${at}`);
    });
    await cluster.clock.advance(500);
    const all = { k0: 'v0', k1: 'v1', k2: 'v2', k3: 'v3' };
    for (const node of nodes) expect(tableOf(node)).toEqual(all);
    expect(second.changes.map(({ key, value }) => [key, text(value)])).toContainEqual(['k0', 'v0']);
    put(first, 'k0', 'new');
    second.node.delete('net', 't', 'k1');
    await cluster.clock.advance(500);
    for (const node of nodes) expect(tableOf(node)).toEqual({ k0: 'new', k2: 'v2', k3: 'v3' });
    const heard = first.changes.filter(({ key }) => key === 'k1').at(-1);
    expect(heard).toMatchObject({ owner: second.node.name, value: undefined });
    expect(text(heard?.previous)).toBe('v1');
  });

  it('hear nothing of networks that they are not in, and all of one that they come to', async () => {
    const nodes = await cluster.form(3);
    const [first, second, third] = nodes as [SimNode, SimNode, SimNode];
    first.node.joinNetwork('other');
    first.node.put('other', 't', 'k', Buffer.from('v'));
    await cluster.clock.advance(2_000);
    expect(second.node.entries('other', 't')).toEqual([]);
    third.node.joinNetwork('other');
    await cluster.clock.advance(2_000);
    expect(third.node.entries('other', 't').map(({ value }) => text(value))).toEqual(['v']);
    expect(second.node.stats().entries).toBe(0);
    first.node.leaveNetwork('other');
    await cluster.clock.advance(2_000);
    expect(third.node.entries('other', 't')).toEqual([]);
    expect(third.changes.at(-1)).toMatchObject({ networkId: 'other', key: 'k', value: undefined });
  });

  it('exchange all they have once, whoever asks', async () => {
    const [first, second] = (await cluster.form(2)) as [SimNode, SimNode];
    const streams = () => [first, second].map(({ node }) => node.counters.streamsReceived);
    first.node.joinNetwork('other');
    await cluster.clock.advance(2_000);
    const [atFirst = 0, atSecond = 0] = streams();
    second.node.joinNetwork('other');
    await cluster.clock.advance(4_000);
    expect(streams()).toEqual([atFirst + 1, atSecond + 1]);
  });

  it('tell all they have to whoever asks, though they have not heard that it takes part', async () => {
    const [first, second] = (await cluster.form(2)) as [SimNode, SimNode];
    first.node.joinNetwork('other');
    first.node.put('other', 't', 'k', Buffer.from('v'));
    await cluster.clock.advance(2_000);
    second.node.joinNetwork('other');
    const asked = { lTime: 1n, unsolicited: true, nodeName: second.node.name };
    const none = encodeCompound([]);
    const payload = encodeBulkSync({ ...asked, networks: ['other'], payload: none });
    const keyring = new Keyring({ keys: KEYS, random: new SimRandom(7) });
    await first.node.onStream(sealStream(keyring, encodeStreamMessage({ kind: 'user', payload })));
    await cluster.clock.advance(5);
    expect(second.node.entries('other', 't').map(({ value }) => text(value))).toEqual(['v']);
  });

  it('learn what is too long for a packet all the same', async () => {
    const nodes = await cluster.form(3);
    put(nodes[0] as SimNode, 'long', 'x'.repeat(5_000));
    await cluster.clock.advance(65_000);
    for (const node of nodes) expect(tableOf(node)).toEqual({ long: 'x'.repeat(5_000) });
  });

  it('know within seconds that one leaves, and of none that it is dead', async () => {
    const nodes = await cluster.form(4);
    const [first, ...others] = nodes as [SimNode, ...SimNode[]];
    put(first, 'k', 'v');
    await cluster.clock.advance(500);
    const stopped = first.node.stop();
    await cluster.clock.advance(1_500);
    await stopped;
    for (const node of others) {
      expect(statesOf(node).sort()).toEqual(['alive', 'alive', 'alive', 'left']);
      expect(tableOf(node)).toEqual({});
    }
  });

  it('know within seconds that one is gone', async () => {
    const nodes = await cluster.form(6);
    const [first, ...others] = nodes as [SimNode, ...SimNode[]];
    put(first, 'k', 'v');
    await cluster.clock.advance(500);
    cluster.isolate(first, nodes);
    await cluster.clock.advance(20_000);
    for (const node of others) {
      expect(statesOf(node).filter((state) => state === 'alive')).toHaveLength(5);
      expect(tableOf(node)).toEqual({});
    }
  });
});

describe('a node that does not answer', () => {
  it('to packets is asked by TCP, and lives', async () => {
    const nodes = await cluster.form(2);
    cluster.losesPackets = true;
    await cluster.clock.advance(60_000);
    for (const node of nodes) expect(statesOf(node)).toEqual(['alive', 'alive']);
  });

  it('to one is asked by others, and lives', async () => {
    const nodes = await cluster.form(4);
    const [first, second] = nodes as [SimNode, SimNode];
    cluster.cut(first, second);
    await cluster.clock.advance(60_000);
    for (const node of nodes) {
      expect(statesOf(node)).toEqual(['alive', 'alive', 'alive', 'alive']);
      expect(node.node.stats().healthScore).toBe(0);
    }
  });

  it('nor anybody else makes a node doubt its own health, until they do', async () => {
    const nodes = await cluster.form(4);
    const [first] = nodes as [SimNode];
    const mend = cluster.isolate(first, nodes);
    await cluster.clock.advance(10_000);
    expect(first.node.stats().healthScore).toBeGreaterThan(2);
    mend();
    await cluster.clock.advance(30_000);
    expect(first.node.stats().healthScore).toBe(0);
  });
});

describe('twenty-five nodes', () => {
  it('have the same tables within a second and a half', async () => {
    const nodes = await cluster.form(25);
    expect(nodes.every(({ node }) => node.stats().members === 25)).toBe(true);
    nodes.forEach((node, at) => {
      put(node, `k${at}`, 'v');
    });
    await cluster.clock.advance(1_500);
    const counts = nodes.map((node) => Object.keys(tableOf(node)).length);
    expect(Math.min(...counts)).toBe(25);
  });
});

describe('keys', () => {
  it('are replaced without anybody noticing', async () => {
    const nodes = await cluster.form(3);
    const [first, second, third] = nodes as [SimNode, SimNode, SimNode];
    const step = [
      [1, 4, 2],
      [4, 1, 2],
    ].map((ring) => ring.map((fill) => new Uint8Array(16).fill(fill)));
    for (const keys of step) {
      for (const { node } of [first, second, third]) {
        node.setKeys(keys);
        put(first, 'k', `${keys.join()}`);
        await cluster.clock.advance(700);
      }
    }
    for (const node of nodes) expect(tableOf(node)).toEqual({ k: step[1]?.join() });
    expect(nodes.map(({ node }) => node.counters.refused)).toEqual([0, 0, 0]);
  });

  it('keep out who has none of them', async () => {
    const nodes = await cluster.form(2);
    const intruder = await cluster.start(9, { keys: [new Uint8Array(16).fill(9)] });
    intruder.node.setSeeds([(nodes[0] as SimNode).address]);
    await cluster.clock.advance(10_000);
    expect(intruder.node.members()).toHaveLength(1);
    expect(nodes.map(({ node }) => node.members().length)).toEqual([2, 2]);
    expect((nodes[0] as SimNode).node.counters.refused).toBeGreaterThan(0);
  });
});

describe('garbage and replays', () => {
  it('change nothing', async () => {
    const nodes = await cluster.form(3);
    const [first] = nodes as [SimNode];
    put(first, 'k', 'v');
    await cluster.clock.advance(500);
    const random = new SimRandom(5);
    const keyring = new Keyring({ keys: KEYS, random });
    for (let length = 0; length < 400; length++) {
      const garbage = random.bytes(length);
      first.node.onPacket(garbage, { ip: '10.9.0.77', port: 1 });
      first.node.onPacket(keyring.seal(garbage), { ip: '10.9.0.77', port: 1 });
      expect(await first.node.onStream(garbage)).toBeUndefined();
    }
    await cluster.clock.advance(5_000);
    for (const node of nodes) {
      expect(tableOf(node)).toEqual({ k: 'v' });
      expect(statesOf(node)).toEqual(['alive', 'alive', 'alive']);
    }
  });

  it('of all packets there were do not bring back what is deleted', async () => {
    const nodes = await cluster.form(3);
    const [first, second] = nodes as [SimNode, SimNode];
    const heard: Uint8Array[] = [];
    const onPacket = second.node.onPacket.bind(second.node);
    second.node.onPacket = (packet, from) => {
      heard.push(packet);
      onPacket(packet, from);
    };
    put(first, 'k', 'v');
    await cluster.clock.advance(1_000);
    first.node.delete('net', 't', 'k');
    await cluster.clock.advance(1_000);
    for (const packet of [...heard]) onPacket(packet, first.address);
    await cluster.clock.advance(5_000);
    for (const node of nodes) expect(tableOf(node)).toEqual({});
  });
});
