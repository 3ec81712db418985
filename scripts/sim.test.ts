import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const sim = (...args: string[]) => run('node', [`${import.meta.dirname}/sim.mjs`, ...args]);

describe('npm run sim', () => {
  it('comes to the same hash for a seed in each process', async () => {
    const hashes: (string | undefined)[] = [];
    for (let n = 0; n < 2; n++) {
      const { stdout } = await sim('--kind', 'raft', '--seed', '3');
      hashes.push(/hash ([0-9a-f]{16})/.exec(stdout)?.[1]);
    }
    expect(hashes[0]).toBeDefined();
    expect(hashes[1]).toBe(hashes[0]);
  }, 60_000);

  it('fails when a promise is broken, and says how to see it again', async () => {
    const wanted = ['--kind', 'raft', '--only', 'crash', '--flaw', 'never-sync'];
    const failed = await sim('--seeds', '1..3', ...wanted).catch((error) => error);
    expect(failed.code).toBe(1);
    const [again] = /--kind raft --seed \d .*(?= --trace)/.exec(failed.stderr) ?? [];
    expect(again).toContain('--only crash');
    const shown = await sim(...(again ?? '').split(' ')).catch((error) => error);
    expect(shown.stderr).toContain(again);
  }, 60_000);

  it('refuses what it does not know', async () => {
    const refusal = (...args: string[]) => sim('--seed', '1', '--kind', 'raft', ...args);
    await expect(refusal('--flaw', 'typo')).rejects.toThrow('knows no flaw typo');
    await expect(refusal('--only', 'typo')).rejects.toThrow('knows no fault typo');
    await expect(refusal('--kind', 'typo')).rejects.toThrow('no kind of simulation');
  }, 60_000);
});
