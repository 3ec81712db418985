import { SimRandom } from '@skep/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogEntry, LogPosition } from './entry.js';
import type { RaftLog } from './log.js';
import { LogRig, readAll, testEntry } from './testing.js';

/** What a log should hold. */
interface Model {
  base: LogPosition;
  entries: LogEntry[];
  term: bigint;
}

type Step =
  | { kind: 'append'; count: number; bytes: number }
  | { kind: 'replace'; back: number; count: number }
  | { kind: 'compact'; back: number }
  | { kind: 'reset'; ahead: number }
  | { kind: 'close' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 6 }),
      bytes: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.constant(5000)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('replace' as const),
      back: fc.integer({ min: 1, max: 8 }),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      back: fc.integer({ min: 0, max: 10 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('reset' as const),
      ahead: fc.integer({ min: 1, max: 50 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
);

function lastOf(model: Model): bigint {
  return model.entries.at(-1)?.index ?? model.base.index;
}

/** The model after a step, and the step itself as it is done to the log. */
function plan(model: Model, action: Step): { next: Model; run(log: RaftLog): Promise<unknown> } {
  const term = model.term + 1n;
  switch (action.kind) {
    case 'append': {
      const first = lastOf(model) + 1n;
      const entries = Array.from({ length: action.count }, (_, n) =>
        testEntry(first + BigInt(n), model.term, action.bytes),
      );
      const next = { ...model, entries: [...model.entries, ...entries] };
      return { next, run: (log) => log.append({ entries }) };
    }
    case 'replace': {
      const kept = model.entries.slice(0, -action.back);
      const first = lastOf({ ...model, entries: kept }) + 1n;
      const entries = Array.from({ length: action.count }, (_, n) =>
        testEntry(first + BigInt(n), term),
      );
      const next = { ...model, term, entries: [...kept, ...entries] };
      const hardState = { term, vote: 1n, commit: 0n };
      return { next, run: (log) => log.append({ hardState, entries }) };
    }
    case 'compact': {
      const index = lastOf(model) - BigInt(action.back);
      return { next: model, run: (log) => log.compact(index) };
    }
    case 'reset': {
      const start = { index: lastOf(model) + BigInt(action.ahead), term };
      const next = { base: start, entries: [], term };
      return {
        next,
        run: (log) => log.append({ start, hardState: { term, vote: 0n, commit: 0n } }),
      };
    }
    case 'close':
      return { next: model, run: (log) => log.close() };
  }
}

/** Whether a log holds what the model says; what it was free to compact away may be missing. */
async function agrees(log: RaftLog, model: Model): Promise<boolean> {
  if (log.last.index !== lastOf(model) || log.base.index < model.base.index) return false;
  const expected = model.entries.filter(({ index }) => index > log.base.index);
  const found = await readAll(log);
  const same = (left: LogEntry, right: LogEntry) =>
    left.index === right.index &&
    left.term === right.term &&
    Buffer.compare(left.data, right.data) === 0;
  return found.length === expected.length && found.every((entry, n) => same(entry, expected[n]!));
}

describe('RaftLog under power cuts', () => {
  it('keeps all that was promised, and of the rest whole batches only', async () => {
    const run = async (steps: Step[], cuts: number[], seed: number) => {
      const rig = new LogRig(seed);
      const chance = new SimRandom(seed);
      let log = await rig.open();
      let model: Model = { base: { index: 0n, term: 0n }, entries: [], term: 1n };
      const left = [...cuts];
      rig.disk.cutPowerAt(rig.disk.operations + (left.shift() ?? 1));
      for (const action of steps) {
        const { next, run: act } = plan(model, action);
        let isDone = true;
        try {
          await act(log);
        } catch {
          isDone = false;
        }
        if (isDone && action.kind !== 'close') {
          model = next;
          continue;
        }
        await rig.crash(chance);
        log = await rig.open();
        const [isOld, isNew] = [await agrees(log, model), await agrees(log, next)];
        expect(isOld || isNew, `after ${action.kind}`).toBe(true);
        if (!isOld) model = next;
        model = { ...model, term: next.term };
        rig.disk.cutPowerAt(rig.disk.operations + (left.shift() ?? 1000));
      }
      await rig.crash(chance);
      expect(await agrees(await rig.open(), model)).toBe(true);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        run,
      ),
      { numRuns: 200, seed: 20_260_101 },
    );
  }, 30_000);

  it('opens again wherever the power goes while it opens', async () => {
    for (let cut = 1; cut < 20; cut++) {
      const rig = new LogRig(cut);
      const log = await rig.open();
      for (let index = 1n; index <= 10n; index++) {
        await log.append({ entries: [testEntry(index, 1n, 700)] });
      }
      rig.disk.cutPowerAt(rig.disk.operations + 1);
      await log.append({ entries: [testEntry(11n, 1n, 2500)] }).catch(() => undefined);
      await rig.crash(rig.random);
      rig.disk.cutPowerAt(rig.disk.operations + cut);
      await rig.open().catch(() => undefined);
      await rig.crash(rig.random);
      const again = await rig.open();
      const indexes = (await readAll(again)).map(({ index }) => Number(index));
      expect([10, 11]).toContain(indexes.length);
      expect(indexes).toEqual(indexes.map((_, n) => n + 1));
    }
  });
});
