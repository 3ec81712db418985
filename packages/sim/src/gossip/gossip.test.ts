import { GossipNode } from '@skep/gossip';
import { describe, expect, it, vi } from 'vitest';
import { Trace } from '../engine/index.js';
import type { GossipScenario } from './contract.js';
import { gossipKind } from './kind.js';
import { GossipRun } from './run.js';
import { drawGossipScenario, GOSSIP_FAULT_KINDS } from './scenario.js';

const CALM: GossipScenario = {
  ...drawGossipScenario(1),
  ...{ machines: 4, networks: 1, writePauseMs: 500, lengthMs: 5_000, faults: [] },
};

async function hashOf(scenario: GossipScenario): Promise<string> {
  const trace = new Trace();
  await new GossipRun({ scenario, trace }).run();
  return trace.hash;
}

describe('gossip in memory', () => {
  it('comes to equal tables, the same way each time', async () => {
    const hash = await hashOf(CALM);
    expect(await hashOf(CALM)).toBe(hash);
    expect(await hashOf({ ...CALM, seed: 2 })).not.toBe(hash);
  }, 60_000);

  it('comes through what its seed has in store for it', async () => {
    for (const seed of [13, 27]) {
      const outcome = await gossipKind.run(seed, {});
      expect(outcome.failure).toBeUndefined();
      expect(outcome.faults.length).toBeGreaterThan(2);
    }
  }, 60_000);

  it('meets every fault', () => {
    const scenarios = Array.from({ length: 60 }, (_, seed) => drawGossipScenario(seed));
    const kinds = scenarios.flatMap(({ faults }) => faults.map(({ fault }) => fault.kind));
    expect(new Set(kinds)).toEqual(new Set(GOSSIP_FAULT_KINDS));
    expect(scenarios.some(({ faults }) => faults.length === 0)).toBe(true);
  });

  it('says so where a node shows what nobody wrote', async () => {
    const run = new GossipRun({ scenario: CALM, trace: new Trace() });
    const entries = vi.spyOn(GossipNode.prototype, 'entries');
    entries.mockReturnValue([{ key: 'nobody', owner: 'x', value: Buffer.from('1') }]);
    await expect(run.run()).rejects.toThrow('all tables are equal');
    entries.mockRestore();
  }, 60_000);

  it('says so where a node that is there is taken for dead', async () => {
    const run = new GossipRun({ scenario: CALM, trace: new Trace() });
    const { members } = GossipNode.prototype;
    const spy = vi.spyOn(GossipNode.prototype, 'members').mockImplementation(function (
      this: GossipNode,
    ) {
      return members.call(this).map((member) => ({ ...member, state: 'dead' as const }));
    });
    await expect(run.run()).rejects.toThrow('no-false-death');
    spy.mockRestore();
  }, 60_000);
});
