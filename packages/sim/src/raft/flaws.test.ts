import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { RAFT_FLAWS, type RaftFlaw } from './flaws.js';
import { raftKind } from './kind.js';

const SEEDS_MAX = 100;

describe('the simulator', () => {
  const flaws = Object.entries<RaftFlaw>(RAFT_FLAWS);
  const known = flaws.filter(([, { seed }]) => seed !== undefined);

  it.each(known)(
    'finds %s',
    async (flaw, { shownBy, seed: first = 1 }) => {
      for (let seed = first; seed < first + SEEDS_MAX; seed++) {
        const options = { flaws: new Set([flaw]), onlyFaults: shownBy };
        const { failure } = await raftKind.run(seed, options);
        if (failure) return;
      }
      expect.fail(`none of ${SEEDS_MAX} seeds shows it`);
    },
    60_000,
  );

  it('says in its document which bugs of others it was tried with', async () => {
    const text = await readFile(new URL('../../../../docs/simulator.md', import.meta.url), 'utf8');
    for (const [flaw] of flaws) expect(text).toContain(`| \`${flaw}\` |`);
  });
});
