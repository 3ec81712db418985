import { type Disk, hasErrno, type Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import { DataKey, KEY_BYTES } from './cipher.js';

const FILE_VERSION = 1;

/**
 * How the data key is protected in its file: not at all, or (autolock) by a key only people know.
 */
export interface KeyWrapping {
  /** Written into the file, so that a key wrapped otherwise is told from a damaged one. */
  readonly name: string;
  wrap(key: Uint8Array): Uint8Array;
  /** Throws when the key cannot be unwrapped. */
  unwrap(wrapped: Uint8Array): Uint8Array;
}

/** The key as it is, protected by the file's mode (0600) alone. */
export const noWrapping: KeyWrapping = {
  name: 'none',
  wrap: (key) => key,
  unwrap: (wrapped) => wrapped,
};

/** The file's key is wrapped in another way than the one at hand: the manager is locked. */
export class KeyLockedError extends Error {
  constructor(path: string, wrapping: string) {
    super(`${path}: the key is wrapped (${wrapping})`);
    this.name = 'KeyLockedError';
  }
}

/** Reads the data key; undefined when there is no such file. */
export async function loadDataKey(
  disk: Disk,
  path: string,
  wrapping: KeyWrapping = noWrapping,
): Promise<DataKey | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await disk.readFile(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const file = parse(path, bytes);
  if (file.wrapping !== wrapping.name) throw new KeyLockedError(path, file.wrapping);
  const key = wrapping.unwrap(Buffer.from(file.key, 'base64'));
  if (key.length !== KEY_BYTES) throw new LogCorruptError(path, 'the key has a wrong length');
  return new DataKey(key);
}

/** Makes a new data key and writes it, replacing any before it. */
export async function createDataKey(
  disk: Disk,
  path: string,
  random: Random,
  wrapping: KeyWrapping = noWrapping,
): Promise<DataKey> {
  const key = random.bytes(KEY_BYTES);
  const file = {
    version: FILE_VERSION,
    wrapping: wrapping.name,
    key: Buffer.from(wrapping.wrap(key)).toString('base64'),
  };
  await disk.writeFileAtomic(path, Buffer.from(`${JSON.stringify(file)}\n`), 0o600);
  return new DataKey(key);
}

function parse(path: string, bytes: Uint8Array): { wrapping: string; key: string } {
  let file: unknown;
  try {
    file = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new LogCorruptError(path, 'not a key file', { cause: error });
  }
  const { version, wrapping, key } = (file ?? {}) as Record<string, unknown>;
  if (version !== FILE_VERSION || typeof wrapping !== 'string' || typeof key !== 'string') {
    throw new LogCorruptError(path, 'not a key file of this version');
  }
  return { wrapping, key };
}
