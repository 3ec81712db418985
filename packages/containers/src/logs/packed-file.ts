import { createReadStream, createWriteStream, openSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { hasErrno } from '@skep/platform';

/** What the name of a compressed file ends with. */
export const PACKED = '.gz';

/** Compresses what stands at `source` now, whatever it is renamed to meanwhile. */
export async function packFile(source: string, target: string): Promise<void> {
  const input = createReadStream('', { fd: openSync(source, 'r') });
  await pipeline(input, createGzip(), createWriteStream(target, { mode: 0o640 }));
}

/**
 * A compressed file, to be read as if it was not: unpacked to a file without a name, which is gone when
 * it is closed. Undefined when there is none.
 */
export async function openPacked(path: string): Promise<FileHandle | undefined> {
  let packed: FileHandle;
  try {
    packed = await open(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const scratch = `${path}.${process.hrtime.bigint()}`;
  const file = await open(scratch, 'wx+', 0o600);
  rmSync(scratch, { force: true });
  try {
    await pipeline(packed.createReadStream(), createGunzip(), async (chunks) => {
      for await (const chunk of chunks) await file.write(chunk);
    });
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
