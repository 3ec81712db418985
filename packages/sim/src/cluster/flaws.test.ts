import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { SWARM_FLAWS } from './flaws.js';
import { clusterKind } from './kind.js';

const TEST_TIMEOUT_MS = 60_000;
const SEEDS_MAX = 40;

describe('a swarm with a known bug', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each(Object.entries(SWARM_FLAWS))('is found wrong with %s', async (flaw, known) => {
    for (let seed = known.seed; seed < known.seed + SEEDS_MAX; seed++) {
      const options = { flaws: new Set([flaw]), onlyFaults: known.shownBy };
      const { failure } = await clusterKind.run(seed, options);
      if (!failure) continue;
      expect(failure).toMatchObject({ rule: 'liveness' });
      expect(failure.message).toMatch(known.told);
      return;
    }
    expect.fail(`none of ${SEEDS_MAX} seeds shows it`);
  });

  it('is in the document of the simulator', async () => {
    const text = await readFile(new URL('../../../../docs/simulator.md', import.meta.url), 'utf8');
    for (const [flaw, { foundIn }] of Object.entries(SWARM_FLAWS)) {
      expect(text).toContain(`| \`${flaw}\` | ${foundIn}`);
    }
  });
});
