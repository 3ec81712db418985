import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { GOSSIP_FLAWS } from './flaws.js';
import { gossipKind } from './kind.js';

const SEEDS_MAX = 20;

describe('the simulator of gossip', () => {
  it.each(Object.entries(GOSSIP_FLAWS))(
    'finds %s',
    async (flaw, { shownBy, seed: first }) => {
      for (let seed = first; seed < first + SEEDS_MAX; seed++) {
        const options = { flaws: new Set([flaw]), onlyFaults: shownBy };
        const { failure } = await gossipKind.run(seed, options);
        if (failure) return;
      }
      expect.fail(`none of ${SEEDS_MAX} seeds shows it`);
    },
    60_000,
  );

  it('says in its document which bugs of others it was tried with', async () => {
    const text = await readFile(new URL('../../../../docs/simulator.md', import.meta.url), 'utf8');
    for (const flaw of Object.keys(GOSSIP_FLAWS)) expect(text).toContain(`| \`${flaw}\` |`);
  });
});
