import { beforeEach, describe, expect, it } from 'vitest';
import { SimCluster, type SimNode, tableOf, text } from '../testing/cluster.sim.js';

let cluster: SimCluster;

beforeEach(() => {
  cluster = new SimCluster();
});

const put = ({ node }: SimNode, key: string, value: string) =>
  node.put('net', 't', key, Buffer.from(value));
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
    nodes.forEach((node, at) => {
      put(node, `k${at}`, `v${at}`);
    });
    await cluster.clock.advance(500);
    const all = { k0: 'v0', k1: 'v1', k2: 'v2', k3: 'v3' };
    for (const node of nodes) expect(tableOf(node)).toEqual(all);
    const [first, second] = nodes as [SimNode, SimNode];
    expect(second.changes.map(({ key, value }) => [key, text(value)])).toContainEqual(['k0', 'v0']);
    put(first, 'k0', 'new');
    first.node.delete('net', 't', 'k1');
    await cluster.clock.advance(500);
    for (const node of nodes) expect(tableOf(node)).toEqual({ ...all, k0: 'new' });
    expect(second.changes.at(-1)).toMatchObject({ key: 'k0', owner: first.node.name });
  });
});
