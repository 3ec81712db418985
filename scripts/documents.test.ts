import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What documents say of files is true: tests that they name exist, and links lead somewhere. */

const ROOT = new URL('..', import.meta.url).pathname;
const SKIPPED = ['node_modules', 'dist', 'gen', '.git', '.build'];

function filesBelow(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    if (SKIPPED.includes(name)) return [];
    const path = join(directory, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [relative(ROOT, path)];
  });
}

const tests = ['packages', 'e2e', 'bench', 'scripts']
  .flatMap((root) => filesBelow(join(ROOT, root)))
  .filter((path) => path.endsWith('.test.ts'));

const documents = [
  ...filesBelow(join(ROOT, 'docs')),
  ...readdirSync(ROOT).filter((name) => statSync(join(ROOT, name)).isFile()),
]
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

/** A test is named by its path, or by the end of it; `*` stands for any file of a folder. */
function exists(name: string): boolean {
  const pattern = name.replaceAll('.', '\\.').replaceAll('*', '[^/]*');
  const end = new RegExp(`(^|/)${pattern}$`);
  return tests.some((path) => end.test(path));
}

/** A heading as the anchor that links lead to. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', wanted] = link.split('#');
  const target = file === '' ? from : join(dirname(from), file);
  if (!existsSync(join(ROOT, target))) return false;
  if (wanted === undefined) return true;
  const headings = readFileSync(join(ROOT, target), 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].some(([, heading = '']) => anchor(heading) === wanted);
}

describe.each(documents)('$path', ({ path, text }) => {
  it('names tests that exist', () => {
    const named = [...text.matchAll(/`([\w./*-]+\.test\.ts)`/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !exists(name))).toEqual([]);
  });

  it('has links that lead somewhere', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !leadsSomewhere(path, link))).toEqual([]);
  });
});
