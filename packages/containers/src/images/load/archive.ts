import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { type Clock, Code, errorMessage, type Random, RpcError } from '@skep/platform';
import { type Extract, extract } from 'tar-stream';
import { commitOrKeep, openIngest } from '../ingest.js';
import type { LeaseScope } from '../lease.js';
import { ARCHIVE_FILES_MAX } from '../limits.js';

type Entry = Extract extends AsyncIterable<infer Element> ? Element : never;

/** A file of the archive, now in the content store under the lease. */
export interface ArchiveFile {
  digest: string;
  /** Bytes. */
  size: number;
  /** First bytes, to tell compression from. */
  head: Uint8Array;
}

const HEAD_BYTES = 8;
const BLOB_NAME = /(?:^|\/)blobs\/sha256\/([0-9a-f]{64})$/;

/**
 * The files of an image archive by path. Links (older archives share layers by them) are followed.
 */
export class ArchiveFiles {
  readonly #files = new Map<string, ArchiveFile>();
  readonly #links = new Map<string, string>();

  get count(): number {
    return this.#files.size + this.#links.size;
  }

  addFile(path: string, file: ArchiveFile): void {
    this.#files.set(posix.normalize(path), file);
  }

  addLink(path: string, target: string): void {
    this.#links.set(posix.normalize(path), posix.normalize(target));
  }

  get(path: string): ArchiveFile | undefined {
    const LINKS_MAX = 8;
    let current = posix.normalize(path);
    for (let hop = 0; hop < LINKS_MAX; hop++) {
      const file = this.#files.get(current);
      if (file) return file;
      const target = this.#links.get(current);
      if (target === undefined) return undefined;
      current = target;
    }
    return undefined;
  }
}

/**
 * Streams every file of a tar into the content store. Memory does not grow with the archive; what
 * turns out not to belong to an image goes with the lease.
 */
export async function storeArchive(
  deps: { clock: Clock; random: Random },
  scope: LeaseScope,
  tar: Readable,
): Promise<ArchiveFiles> {
  const files = new ArchiveFiles();
  const entries = extract();
  tar.on('error', (error) => entries.destroy(error));
  tar.pipe(entries);
  try {
    for await (const entry of entries) {
      if (files.count >= ARCHIVE_FILES_MAX) {
        throw new RpcError(Code.INVALID_ARGUMENT, `more than ${ARCHIVE_FILES_MAX} files`);
      }
      await takeEntry(deps, scope, files, entry);
    }
  } catch (error) {
    throw archiveError(error);
  } finally {
    tar.destroy();
  }
  return files;
}

async function takeEntry(
  deps: { clock: Clock; random: Random },
  scope: LeaseScope,
  files: ArchiveFiles,
  entry: Entry,
): Promise<void> {
  const { name, type, linkname, size = 0 } = entry.header;
  if (type === 'symlink') files.addLink(name, posix.join(posix.dirname(name), linkname ?? ''));
  if (type === 'link') files.addLink(name, linkname ?? '');
  const isFile = type === 'file' || type === 'contiguous-file';
  if (isFile) files.addFile(name, await storeFile(deps, scope, entry, { name, size }));
  else entry.resume();
}

async function storeFile(
  deps: { clock: Clock; random: Random },
  scope: LeaseScope,
  entry: Entry,
  { name, size }: { name: string; size: number },
): Promise<ArchiveFile> {
  const ref = `load-${Buffer.from(deps.random.bytes(12)).toString('hex')}`;
  const writer = await openIngest(scope, deps.clock, { ref, total: size });
  if (!writer) throw new RpcError(Code.INTERNAL, 'an upload of unknown content exists already');
  const hash = createHash('sha256');
  let head = Buffer.alloc(0);
  try {
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk]).subarray(0, HEAD_BYTES);
      hash.update(chunk);
      await writer.write(chunk);
    }
    const digest = `sha256:${hash.digest('hex')}`;
    const named = BLOB_NAME.exec(posix.normalize(name))?.[1];
    if (named !== undefined && digest !== `sha256:${named}`) {
      throw new RpcError(Code.INVALID_ARGUMENT, `${name}: content has digest ${digest}`);
    }
    await commitOrKeep(scope, writer, { size, expected: digest });
    return { digest, size, head: Uint8Array.from(head) };
  } finally {
    writer.close();
  }
}

/** What the tar and gzip libraries say, in the words Docker has for it. */
function archiveError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const message = errorMessage(error);
  let text = message;
  if (/unexpected end/i.test(message)) text = 'unexpected EOF';
  else if (/invalid tar header/i.test(message)) text = 'archive/tar: invalid tar header';
  return new RpcError(Code.INVALID_ARGUMENT, text, { cause: error });
}
