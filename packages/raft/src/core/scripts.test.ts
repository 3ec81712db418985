import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runScript } from './testing/script.js';

/*
 * The scripts in scripts/, see scripts/README.md. `RAFT_SCRIPTS=rewrite` writes down what comes
 * out.
 */

const DIRECTORY = fileURLToPath(new URL('scripts/', import.meta.url));
const names = readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'));

describe('scripts of the core', () => {
  it('are all there', () => {
    expect(names.length).toBeGreaterThanOrEqual(25);
  });

  for (const name of names) {
    it(name.replace('.txt', ''), () => {
      const path = `${DIRECTORY}${name}`;
      const script = readFileSync(path, 'utf8');
      const outcome = runScript(script);
      if (process.env['RAFT_SCRIPTS'] === 'rewrite') writeFileSync(path, outcome);
      else expect(outcome).toBe(script);
    });
  }

  it('would notice a difference', () => {
    const script = '> cluster 1\n> campaign 1\n  1 is leader in term 2\n';
    expect(runScript(script)).toBe('> cluster 1\n> campaign 1\n  1 is leader in term 1\n');
  });
});
