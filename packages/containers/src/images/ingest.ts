import { type Clock, Code, RpcError } from '@skep/platform';
import type { Containerd, ContentWriter } from '../containerd/containerd.js';
import type { Labels, NewIngest } from '../containerd/types.js';
import { sha256Digest } from './digest.js';
import type { LeaseScope } from './lease.js';
import { INGEST_LOCKED_ATTEMPTS_MAX, INGEST_LOCKED_WAIT_MS } from './limits.js';

export function hasCode(error: unknown, code: Code): boolean {
  return error instanceof RpcError && error.code === code;
}

/** Stores bytes in memory; resolves with their digest. */
export async function ingestBytes(
  scope: LeaseScope,
  clock: Clock,
  data: Uint8Array,
  labels: Labels = {},
): Promise<string> {
  const digest = sha256Digest(data);
  const ingest = { ref: `bytes-${digest}`, total: data.length, expected: digest };
  const writer = await openIngest(scope, clock, ingest);
  if (writer) {
    try {
      if (writer.offset === 0) await writer.write(data);
      await commitOrKeep(scope, writer, { size: data.length, expected: digest });
    } finally {
      writer.close();
    }
  }
  if (Object.keys(labels).length > 0) await scope.containerd.content.setLabels(digest, labels);
  return digest;
}

/**
 * Commits an upload; content that came from elsewhere meanwhile is as good. It is held before: a
 * refusal because it is there says nothing of the next moment, in which a collection may take it.
 */
export async function commitOrKeep(
  scope: LeaseScope,
  writer: ContentWriter,
  options: { size: number; expected: string; labels?: Labels },
): Promise<void> {
  await scope.keepContent(options.expected);
  try {
    await writer.commit(options);
  } catch (error) {
    if (!hasCode(error, Code.ALREADY_EXISTS)) throw error;
  }
}

/**
 * Opens an upload, waiting while somebody else holds its ref. Undefined when the content is there
 * already; it is then kept by the lease.
 */
export async function openIngest(
  scope: LeaseScope,
  clock: Clock,
  ingest: NewIngest,
  signal?: AbortSignal,
): Promise<ContentWriter | undefined> {
  if (ingest.expected !== undefined) await scope.keepContent(ingest.expected);
  for (let attempt = 1; ; attempt++) {
    try {
      return await scope.containerd.content.openWriter(ingest);
    } catch (error) {
      if (hasCode(error, Code.ALREADY_EXISTS) && ingest.expected !== undefined) return undefined;
      const locked = hasCode(error, Code.UNAVAILABLE) && /locked/.test((error as Error).message);
      if (!locked || attempt >= INGEST_LOCKED_ATTEMPTS_MAX) throw error;
    }
    await clock.sleep(INGEST_LOCKED_WAIT_MS, signal);
  }
}

/** Whether content is there, in this namespace. */
export async function hasContent(containerd: Containerd, digest: string): Promise<boolean> {
  try {
    await containerd.content.info(digest);
    return true;
  } catch (error) {
    if (hasCode(error, Code.NOT_FOUND)) return false;
    throw error;
  }
}
