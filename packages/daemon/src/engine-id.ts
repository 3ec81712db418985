import { type Disk, hasErrno, type Random } from '@skep/platform';
import { newEngineId } from './facts.js';

/** The id of the engine of a data root: made at its first start, kept ever after. */
export async function engineId(disk: Disk, random: Random, path: string): Promise<string> {
  try {
    return Buffer.from(await disk.readFile(path))
      .toString('utf8')
      .trim();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const id = newEngineId(random);
  await disk.writeFileAtomic(path, Buffer.from(`${id}\n`), 0o600);
  return id;
}
