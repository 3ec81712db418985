import { SimRandom, settle } from '@skep/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SoloRig } from './testing.js';

describe('RaftNode alone under power cuts', () => {
  it('loses nothing it applied, keeps order, and never repeats a term', async () => {
    const run = async (cuts: number[], perTurn: number, seed: number) => {
      const rig = new SoloRig(seed);
      const settings = { snapshotIntervalEntries: 20, entriesKeptBehind: 3, segmentBytes: 6000 };
      Object.assign(rig.settings, settings);
      let [proposed, term] = [0, 0n];
      let acknowledged: string[] = [];
      for (const cut of cuts) {
        rig.disk.cutPowerAt(rig.disk.operations + cut);
        try {
          const node = await rig.start();
          expect(node.status.term).toBeGreaterThan(term);
          term = node.status.term;
          expect(rig.machine.texts.slice(0, acknowledged.length)).toEqual(acknowledged);
          while (rig.fatal.length === 0) {
            for (let n = 0; n < perTurn; n++) node.propose(Buffer.from(`text ${proposed++}`));
            await settle();
          }
        } catch (error) {
          expect(String(error)).toMatch(/power is cut|cannot be written|not ready/);
        }
        const { texts } = rig.machine;
        if (texts.length > acknowledged.length) acknowledged = [...texts];
        await rig.crash(new SimRandom(seed + cut));
        rig.fatal.length = 0;
      }
      await rig.start();
      const { texts } = rig.machine;
      expect(texts.slice(0, acknowledged.length)).toEqual(acknowledged);
      const numbers = texts.map((text) => Number(text.slice(5)));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect(new Set(numbers).size).toBe(numbers.length);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 8 }),
        fc.nat(),
        run,
      ),
      { numRuns: 60, seed: 20_260_101 },
    );
  }, 30_000);
});
