import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './exec.ts';
import type { ImageFile } from './image.ts';

/** Lines of ldd: `libc.so.6 => /lib/…/libc.so.6 (0x…)`, and the loader's without an arrow. */
const LIBRARY = /(?:=> |^\s*)(\/\S+) \(0x/gm;

/** Installed programs (or modules) with the libraries they are linked with, where they are here. */
export async function withLibraries(paths: readonly string[]): Promise<Record<string, ImageFile>> {
  const told = await must('ldd', paths);
  const libraries = [...told.matchAll(LIBRARY)].map(([, path = '']) => path);
  const read = (path: string) => [path, { content: readFileSync(path), mode: 0o755 }] as const;
  return Object.fromEntries([...new Set([...paths, ...libraries])].sort().map(read));
}

/** All files below a directory. */
export function tree(directory: string): Record<string, ImageFile> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(paths.map((path) => [path, { content: readFileSync(path) }]));
}
