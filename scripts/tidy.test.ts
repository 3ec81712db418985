import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Style that no linter rule covers, held by a test over the whole tree. */

const ROOT = new URL('..', import.meta.url).pathname;
const FILE_LINES_MAX = 800;
const MEDIAN_LINES_MAX = 120;
const SOURCE_ROOTS = ['packages', 'e2e', 'bench', 'scripts'];
const SKIPPED = ['node_modules', 'dist', 'gen'];

/** Whom each package may import, besides itself and libraries. */
const ARROWS: Record<string, readonly string[]> = {
  wire: [],
  platform: [],
  raft: ['wire', 'platform'],
  store: ['wire', 'platform'],
  ca: ['wire', 'platform'],
  rpc: ['wire', 'platform', 'ca'],
  manager: ['wire', 'platform', 'store', 'ca'],
  agent: ['wire', 'platform'],
  containers: ['wire', 'platform', 'rpc'],
  gossip: ['wire', 'platform'],
  network: ['wire', 'platform', 'containers'],
  executor: ['wire', 'platform', 'agent', 'containers', 'network'],
  member: ['wire', 'platform', 'ca', 'store', 'raft', 'rpc', 'manager', 'agent'],
  sim: [
    ...['wire', 'platform', 'ca', 'store', 'raft', 'rpc', 'manager', 'agent', 'member', 'gossip'],
  ],
  api: ['wire', 'platform', 'store', 'manager', 'containers'],
  daemon: [
    ...['wire', 'platform', 'raft', 'store', 'ca', 'rpc', 'manager', 'agent', 'member'],
    ...['containers', 'network', 'executor', 'api', 'gossip'],
  ],
  machines: ['platform'],
  cli: ['platform', 'machines'],
};

function filesBelow(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    if (SKIPPED.includes(name)) return [];
    const path = join(directory, name);
    if (statSync(path).isDirectory()) return filesBelow(path);
    return /\.(ts|mjs)$/.test(name) ? [path] : [];
  });
}

const files = SOURCE_ROOTS.flatMap((root) => filesBelow(join(ROOT, root))).map((path) => ({
  path: relative(ROOT, path),
  text: readFileSync(path, 'utf8'),
}));

const lineCount = (text: string) => text.split('\n').length - 1;

describe('the tree', () => {
  it(`has no file past ${FILE_LINES_MAX} lines, and a small median`, () => {
    const long = files.filter(({ text }) => lineCount(text) > FILE_LINES_MAX);
    expect(long.map(({ path }) => path)).toEqual([]);
    const counts = files
      .filter(({ path }) => !path.endsWith('.test.ts'))
      .map(({ text }) => lineCount(text))
      .sort((a, b) => a - b);
    expect(counts[counts.length >> 1]).toBeLessThanOrEqual(MEDIAN_LINES_MAX);
  });

  it('follows the arrows between packages', () => {
    const wrong: string[] = [];
    for (const { path, text } of files) {
      const home = /^packages\/([^/]+)\/src\//.exec(path)?.[1];
      if (!home) continue;
      expect(ARROWS, `package ${home} has its arrows`).toHaveProperty(home);
      for (const [, target = ''] of text.matchAll(/from '@skep\/([a-z]+)/g)) {
        if (target !== home && !ARROWS[home]?.includes(target)) wrong.push(`${path} -> ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has no marker of unfinished work', () => {
    const marker = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));
    expect(files.filter(({ text }) => marker.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('sleeps in no unit test', () => {
    const sleeping = files.filter(
      ({ path, text }) => /^packages\/.*\.test\.ts$/.test(path) && /\bsetTimeout\(/.test(text),
    );
    expect(sleeping.map(({ path }) => path)).toEqual([]);
  });
});
