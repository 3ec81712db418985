import { describe, expect, it } from 'vitest';
import { PROBES_LOST_MAX, PROBES_PER_PERIOD_MAX } from './limits.js';
import { decodeProbe, encodeProbe, PROBE_BYTES_MIN } from './message.js';
import { type ProbedNode, type ProbeSize, Ways } from './ways.js';

function nodesOf(count: number): ProbedNode[] {
  return Array.from({ length: count }, (_, at) => ({
    nodeId: `n${at}`,
    address: `10.0.0.${at}`,
    tunnelAddress: `192.168.0.${at}`,
  }));
}

/** Periods in which a way passes what `passes` says. */
function run(ways: Ways, periods: number, passes: (nodeId: string, size: ProbeSize) => boolean) {
  for (let period = 0; period < periods; period++) {
    for (const { number, node, size } of ways.ask()) {
      if (passes(node.nodeId, size)) ways.answered(number, node.address);
    }
    ways.giveUp();
  }
}

const troubles = (ways: Ways) =>
  ways.broken().map(({ node, trouble }) => `${node.nodeId} ${trouble}`);

describe('the ways between nodes', () => {
  it('are whole while answers come', () => {
    const ways = new Ways();
    ways.follow(nodesOf(3));
    run(ways, 20, () => true);
    expect(troubles(ways)).toEqual([]);
  });

  it('are silent after some answers in a row are missing, not before, and whole with the first', () => {
    const ways = new Ways();
    ways.follow(nodesOf(2));
    run(ways, PROBES_LOST_MAX - 1, (nodeId) => nodeId !== 'n1');
    expect(troubles(ways)).toEqual([]);
    run(ways, 1, (nodeId) => nodeId !== 'n1');
    expect(troubles(ways)).toEqual(['n1 silent']);
    run(ways, 1, () => true);
    expect(troubles(ways)).toEqual([]);
  });

  it('are narrow when only short packets pass', () => {
    const ways = new Ways();
    ways.follow(nodesOf(2));
    run(ways, PROBES_LOST_MAX, (nodeId, size) => nodeId !== 'n0' || size === 'small');
    expect(troubles(ways)).toEqual(['n0 narrow']);
  });

  it('are asked in turns where there are many, each with both sizes', () => {
    const ways = new Ways();
    const count = 2 * PROBES_PER_PERIOD_MAX + 5;
    ways.follow(nodesOf(count));
    const asked = new Map<string, Set<ProbeSize>>();
    run(ways, 12, (nodeId, size) => {
      asked.set(nodeId, (asked.get(nodeId) ?? new Set()).add(size));
      return true;
    });
    expect(asked.size).toBe(count);
    expect([...asked.values()].every((sizes) => sizes.size === 2)).toBe(true);
  });

  it('are judged by the node that was asked alone', () => {
    const ways = new Ways();
    ways.follow(nodesOf(2));
    for (let period = 0; period < PROBES_LOST_MAX; period++) {
      for (const { number } of ways.ask()) ways.answered(number, '10.0.0.77');
      ways.giveUp();
    }
    expect(troubles(ways)).toEqual(['n0 silent', 'n1 silent']);
  });

  it('are judged anew for a node that moved, and forgotten for one that is gone', () => {
    const ways = new Ways();
    ways.follow(nodesOf(2));
    run(ways, PROBES_LOST_MAX, () => false);
    const [first] = nodesOf(1);
    if (first) ways.follow([{ ...first, tunnelAddress: '192.168.7.7' }]);
    expect(troubles(ways)).toEqual([]);
  });
});

describe('probes', () => {
  it('come out as they went in, at any length', () => {
    for (const bytes of [0, PROBE_BYTES_MIN, 1_400]) {
      const message = encodeProbe({ kind: 'ask', number: 7n }, bytes);
      expect(message).toHaveLength(Math.max(bytes, PROBE_BYTES_MIN));
      expect(decodeProbe(message)).toEqual({ kind: 'ask', number: 7n });
    }
  });

  it('are nothing else', () => {
    const message = encodeProbe({ kind: 'answer', number: 1n });
    expect(decodeProbe(message.subarray(0, PROBE_BYTES_MIN - 1))).toBeUndefined();
    message[7] = 9;
    expect(decodeProbe(message)).toBeUndefined();
    message[0] = 0;
    expect(decodeProbe(message)).toBeUndefined();
  });
});
