import { SimClock, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import type { OverlayPlace } from '../overlay/contract.js';
import { networkOf, nodeOf, updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { PROBE_ANSWERS_PER_SECOND_MAX, PROBE_DOUBT_PERIOD_MS } from './limits.js';
import { encodeProbe } from './message.js';
import { Prober } from './prober.js';
import { SimProbeSockets } from './sockets.sim.js';

const NODES = ['n1', 'n2', 'n3'];
const addressOf = (nodeId: string) => `10.0.1.${1 + Number(nodeId[1])}`;

/** One prober on each of three nodes. */
async function threeNodes() {
  const clock = new SimClock();
  const sockets = new SimProbeSockets();
  const nodes = await Promise.all(
    NODES.map(async (nodeId) => {
      const nodeAddress = `${addressOf(nodeId)}/24`;
      const place: OverlayPlace = { namespace: nodeId, nodeAddress, mtuBytes: 1_450, segments: [] };
      const standing = new Map([['net', place]]);
      const prober = new Prober({
        clock,
        sockets,
        logger: silentLogger,
        places: {
          place: (id) => standing.get(id),
          whenReady: async () => place,
          addListener: () => {},
        },
        vxlanPort: () => 4_789,
      });
      const tables = new Tables();
      tables.addReader(prober);
      const networks = [networkOf('net', { nodeAddress })];
      await tables.update(updateOf(1n, { networks, nodes: NODES.map((id) => nodeOf(id)) }));
      return { prober, tables, standing };
    }),
  );
  const run = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) await clock.advance(PROBE_DOUBT_PERIOD_MS);
  };
  const [first] = nodes;
  if (!first) throw new Error('three nodes');
  return { sockets, run, clock, ...first, others: nodes.slice(1) };
}

describe('probes between nodes', () => {
  it('find nothing where all ways are open', async () => {
    const { prober, run } = await threeNodes();
    await run(20);
    expect(prober.warnings()).toEqual([]);
  });

  it('name a node that a closed port cuts off, within seconds, until it is open', async () => {
    const { prober, run, sockets } = await threeNodes();
    sockets.passes = (_, to) => to !== addressOf('n2');
    await run(8);
    expect(prober.warnings()).toEqual([
      'node n2 at 192.168.9.2 does not answer through its tunnel (VXLAN, UDP port 4789): ' +
        'is that port open between the nodes?',
    ]);
    sockets.passes = () => true;
    await run(3);
    expect(prober.warnings()).toEqual([]);
  });

  it('tell a way that is too narrow from one that is closed', async () => {
    const { prober, run, sockets } = await threeNodes();
    sockets.passes = (_, to, bytes) => to !== addressOf('n3') || bytes < 1_000;
    await run(10);
    expect(prober.warnings().join()).toMatch(/packets of full size do not reach node n3/);
  });

  it('do not expect answers of nodes that are down, or of another kind', async () => {
    const { prober, run, sockets, tables } = await threeNodes();
    sockets.passes = () => false;
    const nodes = [nodeOf('n2', { down: true }), nodeOf('n3', { ownAgent: false })];
    await tables.update(updateOf(2n, { nodes }));
    await run(12);
    expect(prober.warnings()).toEqual([]);
  });

  it('end with the network they are asked on', async () => {
    const { others, prober, run, sockets, standing } = await threeNodes();
    await run(2);
    expect(sockets.addresses.sort()).toEqual(NODES.map(addressOf));
    await prober.removing('net');
    standing.clear();
    await run(2);
    for (const other of others) other.prober.close();
    expect(sockets.addresses).toEqual([]);
  });

  it('are answered, but not without end', async () => {
    const { run, sockets } = await threeNodes();
    await run(2);
    let answers = 0;
    const stranger = await sockets.open('', '10.0.1.99', () => answers++);
    const count = 2 * PROBE_ANSWERS_PER_SECOND_MAX;
    for (let number = 0n; number < count; number++) {
      stranger.send(encodeProbe({ kind: 'ask', number }), addressOf('n1'));
    }
    expect(answers).toBeLessThanOrEqual(PROBE_ANSWERS_PER_SECOND_MAX);
    expect(answers).toBeGreaterThan(PROBE_ANSWERS_PER_SECOND_MAX / 2);
  });
});
