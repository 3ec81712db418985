import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { STATUS_FILE_BYTES_MAX } from '../limits.js';
import type { ContainerStatus } from './record.js';

/**
 * Files of a status each, as lines of JSON of which the last whole one counts. A status that changes is
 * added at the end, which takes a tenth of the time of making a file to take the place of the last (a new
 * name, a new inode, and on ext4 the start of writing it out). A file that has grown to
 * {@link STATUS_FILE_BYTES_MAX}, or whose end is not known, is replaced by one of one line.
 *
 * A kill of the daemon leaves whole lines or a part of the last. Nothing is synced.
 */
export class StatusFiles {
  /** Length of the files whose last line is whole, bytes, by path. */
  readonly #lengths = new Map<string, number>();

  /** Throws as node:fs does. What the file said before it still says then. */
  write(path: string, status: ContainerStatus): void {
    const line = Buffer.from(`${JSON.stringify(status)}\n`);
    const length = this.#lengths.get(path);
    // Forgotten until it is done: half a line may be there.
    this.#lengths.delete(path);
    if (length !== undefined && length + line.length <= STATUS_FILE_BYTES_MAX) {
      appendFileSync(path, line, { mode: 0o600 });
      this.#lengths.set(path, length + line.length);
    } else {
      writeFileSync(`${path}.tmp`, line, { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
      this.#lengths.set(path, line.length);
    }
  }

  /** The file is gone, or about to be. */
  forget(path: string): void {
    this.#lengths.delete(path);
  }
}

/** The last status that such a file has whole. Throws a SyntaxError where there is none. */
export function lastStatus(text: string): ContainerStatus {
  const [first = '', ...later] = text.split('\n').filter((line) => line !== '');
  for (const line of later.reverse()) {
    try {
      return JSON.parse(line) as ContainerStatus;
    } catch {
      // Cut off by a kill: the one before it counts.
    }
  }
  return JSON.parse(first) as ContainerStatus;
}
