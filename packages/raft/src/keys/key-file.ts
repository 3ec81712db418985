import { type Disk, hasErrno, type Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import { KEY_BYTES } from './cipher.js';
import { KeyRing } from './ring.js';

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
  /** How the key may still be wrapped, after a crash in the middle of a change to this way. */
  readonly before?: KeyWrapping;
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

/** Reads the data keys; undefined when there is no such file. */
export async function loadKeys(
  disk: Disk,
  path: string,
  wrapping: KeyWrapping = noWrapping,
): Promise<KeyRing | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await disk.readFile(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const file = parse(path, bytes);
  const used = [wrapping, wrapping.before].find((one) => one?.name === file.wrapping);
  if (!used) throw new KeyLockedError(path, file.wrapping);
  const keys = [file.key, ...file.old].map((key) => used.unwrap(Buffer.from(key, 'base64')));
  for (const { length } of keys) {
    if (length !== KEY_BYTES) throw new LogCorruptError(path, 'a key has a wrong length');
  }
  return new KeyRing(keys);
}

/**
 * Writes the keys, in place of what the file held. Either all of the new file is there after a
 * crash, or none.
 */
export async function saveKeys(
  disk: Disk,
  path: string,
  ring: KeyRing,
  wrapping: KeyWrapping = noWrapping,
): Promise<void> {
  const wrapped = ring.secrets.map((key) => Buffer.from(wrapping.wrap(key)).toString('base64'));
  const [key, ...old] = wrapped;
  const file = { version: FILE_VERSION, wrapping: wrapping.name, key, old };
  await disk.writeFileAtomic(path, Buffer.from(`${JSON.stringify(file)}\n`), 0o600);
}

/** A ring with a new key before those of `ring`. */
export function withNewKey(random: Random, ring?: KeyRing): KeyRing {
  return new KeyRing([random.bytes(KEY_BYTES), ...(ring?.secrets ?? [])]);
}

/** A ring of the current key alone. */
export function withoutOldKeys(ring: KeyRing): KeyRing {
  return new KeyRing(ring.secrets.slice(0, 1));
}

interface KeyFile {
  wrapping: string;
  key: string;
  /** Keys before it; files of the first release have none. */
  old: readonly string[];
}

function parse(path: string, bytes: Uint8Array): KeyFile {
  let file: unknown;
  try {
    file = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new LogCorruptError(path, 'not a key file', { cause: error });
  }
  const { version, wrapping, key, old = [] } = (file ?? {}) as Record<string, unknown>;
  const areStrings = [wrapping, key].every((text) => typeof text === 'string');
  if (version !== FILE_VERSION || !areStrings || !Array.isArray(old)) {
    throw new LogCorruptError(path, 'not a key file of this version');
  }
  return { wrapping: String(wrapping), key: String(key), old: old.map(String) };
}
