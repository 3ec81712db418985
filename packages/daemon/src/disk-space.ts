import { statfs } from 'node:fs/promises';
import type { DiskSpace } from '@skep/executor';

/** The file system of a path. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, bfree, blocks, bsize } = await statfs(path);
  // What is kept for root alone counts neither as free nor as in use, as in `df`.
  return { total: (blocks - bfree + bavail) * bsize, free: bavail * bsize };
}
