import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@skep/platform';

const BLOCK_BYTES = 512;

/**
 * Bytes that a tree takes on disk, or -1 when it is not counted by the deadline (Docker's
 * "unknown"). Hard links are counted once each; what vanishes meanwhile is skipped.
 */
export async function treeBytes(path: string, clock: Clock, deadlineMs: number): Promise<number> {
  let bytes = 0;
  const pending = [path];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (clock.monotonic() > deadlineMs) return -1;
    try {
      for await (const entry of await opendir(next)) {
        const child = join(next, entry.name);
        if (entry.isDirectory()) pending.push(child);
        else bytes += (await lstat(child)).blocks * BLOCK_BYTES;
      }
    } catch {
      // Removed while we looked, or not ours to read.
    }
  }
  return bytes;
}
