import { NetworkEvent_Type, NodeEvent_Type, TableEvent_Type } from '@skep/wire/networkdb';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeNetworkEvent, encodeNodeEvent, encodeTableEvent } from '../codec/envelope.js';
import { inject, put, SimCluster, type SimNode, tableOf } from '../testing/cluster.sim.js';

/** What went wrong with networkdb elsewhere, and must not here. */

let cluster: SimCluster;
let nodes: SimNode[];
let first: SimNode;
let others: SimNode[];

beforeEach(async () => {
  cluster = new SimCluster();
  nodes = await cluster.form(4);
  [first, ...others] = nodes as [SimNode, ...SimNode[]];
  put(first, 'k', 'v');
  await cluster.clock.advance(1_000);
});

async function expectWell(): Promise<void> {
  for (const node of nodes) {
    expect(tableOf(node)).toEqual({ k: 'v' });
    expect(node.node.stats()).toMatchObject({ members: 4, failed: 0 });
    expect(node.node.networkMembers('net')).toHaveLength(4);
  }
}

describe('moby 47728: tables that do not converge', () => {
  it('where others hold an entry for deleted that its owner has', async () => {
    const payload = encodeTableEvent({
      ...{ type: TableEvent_Type.DELETE, lTime: 1_000n, nodeName: first.node.name },
      ...{ networkId: 'net', tableName: 't', key: 'k', residualReapTime: 1_800 },
    });
    inject(others[0] as SimNode, { kind: 'user', payload });
    await cluster.clock.advance(2_000);
    await expectWell();
  });

  it('where others hold an entry for its owner that it never had', async () => {
    const payload = encodeTableEvent({
      ...{ type: TableEvent_Type.CREATE, lTime: 1_000n, nodeName: first.node.name },
      ...{ networkId: 'net', tableName: 't', key: 'never', value: Buffer.from('x') },
    });
    inject(others[0] as SimNode, { kind: 'user', payload });
    await cluster.clock.advance(2_000);
    await expectWell();
  });

  it('where a node restarted under another name, and writes the same again', async () => {
    for (let round = 0; round < 20; round++) put(first, 'k', `old ${round}`);
    await cluster.clock.advance(1_000);
    // No word that it leaves: the power was cut.
    const again = await cluster.start(1);
    again.node.joinNetwork('net');
    again.node.put('net', 't', 'k', Buffer.from('v'));
    again.node.setSeeds([(others[0] as SimNode).address]);
    await cluster.clock.advance(10_000);
    for (const node of [again, ...others]) expect(tableOf(node)).toEqual({ k: 'v' });
  });

  it('where what a node wrote comes again after it has failed, and begun again', async () => {
    cluster.isolate(first, nodes);
    await cluster.clock.advance(90_000);
    const again = await cluster.start(9);
    again.node.joinNetwork('net');
    again.node.put('net', 't', 'k', Buffer.from('v'));
    again.node.setSeeds([(others[0] as SimNode).address]);
    await cluster.clock.advance(3_000);
    const payload = encodeTableEvent({
      ...{ type: TableEvent_Type.CREATE, lTime: 900n, nodeName: first.node.name },
      ...{ networkId: 'net', tableName: 't', key: 'k', value: Buffer.from('x') },
    });
    for (const node of others) inject(node, { kind: 'user', payload });
    for (const node of [again, ...others]) expect(tableOf(node)).toEqual({ k: 'v' });
    await cluster.clock.advance(3_000);
    for (const node of [again, ...others]) expect(tableOf(node)).toEqual({ k: 'v' });
  });

  it('where others hold that a node has left a network that it is in', async () => {
    const payload = encodeNetworkEvent({
      ...{ type: NetworkEvent_Type.LEAVE, lTime: 1_000n },
      ...{ nodeName: first.node.name, networkId: 'net' },
    });
    for (const node of others) inject(node, { kind: 'user', payload });
    expect(tableOf(others[0] as SimNode)).toEqual({});
    await cluster.clock.advance(40_000);
    await expectWell();
  });
});

describe('libnetwork 2256: nodes that are there, and "failed" for good', () => {
  it('come back after all have forgotten each other', async () => {
    const mend = cluster.isolate(first, nodes);
    await cluster.clock.advance(180_000);
    expect(first.node.members().length).toBeLessThan(4);
    mend();
    await cluster.clock.advance(15_000);
    await expectWell();
  });

  it('contradict that they have left', async () => {
    const { name } = first.node;
    const payload = encodeNodeEvent({ type: NodeEvent_Type.LEAVE, lTime: 1_000n, nodeName: name });
    for (const node of nodes) inject(node, { kind: 'user', payload });
    await cluster.clock.advance(40_000);
    await expectWell();
  });
});

describe('moby 53141: names that are unknown for hours after a cable was out for seconds', () => {
  it('are back as soon as the node is', async () => {
    for (const seconds of [10, 20, 30]) {
      const mend = cluster.isolate(first, nodes);
      await cluster.clock.advance(seconds * 1_000);
      mend();
      await cluster.clock.advance(6_000);
      await expectWell();
    }
  });

  it('and were hidden while it was not', async () => {
    const mend = cluster.isolate(first, nodes);
    await cluster.clock.advance(30_000);
    for (const node of others) expect(tableOf(node)).toEqual({});
    // What it does meanwhile is known when it is back.
    put(first, 'meanwhile', 'x');
    first.node.delete('net', 't', 'k');
    mend();
    await cluster.clock.advance(6_000);
    for (const node of nodes) expect(tableOf(node)).toEqual({ meanwhile: 'x' });
  });
});

describe('moby 53688: a node that is there, put out by another at its address', () => {
  it('stays, and the other one is not believed', async () => {
    const { address } = first;
    const versions = Uint8Array.of(1, 5, 2, 0, 0, 0);
    const ghost = { incarnation: 9, node: 'ghost', address, meta: new Uint8Array(), versions };
    for (const node of others) inject(node, { kind: 'alive', ...ghost });
    await cluster.clock.advance(500);
    for (const node of others) expect(tableOf(node)).toEqual({ k: 'v' });
    await cluster.clock.advance(60_000);
    await expectWell();
  });
});
