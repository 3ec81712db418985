import { type Clock, Code, errorMessage, type Logger, type Random } from '@skep/platform';
import type { ContentWriter } from '../../containerd/containerd.js';
import type { Descriptor } from '../../containerd/types.js';
import { RegistryError } from '../../registry/errors.js';
import { unreachable } from '../../registry/network-error.js';
import type { ImageTraffic } from '../context.js';
import { commitOrKeep, hasCode, openIngest } from '../ingest.js';
import type { KeyedMutex } from '../keyed-mutex.js';
import type { LeaseScope } from '../lease.js';
import { DOWNLOAD_ATTEMPTS_MAX, DOWNLOAD_BACKOFF_MS } from '../limits.js';

import type { PullSession } from './session.js';

export interface FetchDependencies {
  mutex: KeyedMutex;
  clock: Clock;
  random: Random;
  logger: Logger;
  traffic: ImageTraffic;
}

export interface FetchRequest {
  session: PullSession;
  blob: Descriptor;
  /** Bytes here so far, after each piece. */
  onBytes?: (current: number) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Brings a blob into the content store, once however many ask for it at a time. A dropped
 * connection is taken up where it broke; an upload a killed daemon left is, too.
 */
export async function fetchBlob(
  deps: FetchDependencies,
  scope: LeaseScope,
  request: FetchRequest,
): Promise<void> {
  const { digest } = request.blob;
  await deps.mutex.run(`blob ${digest}`, async () => {
    for (let attempt = 1; ; attempt++) {
      request.signal?.throwIfAborted();
      try {
        return await attemptFetch(deps, scope, request);
      } catch (error) {
        if (attempt >= DOWNLOAD_ATTEMPTS_MAX || !isWorthRetrying(error)) throw error;
        deps.logger.info(
          { digest, attempt, error: errorMessage(error) },
          'download is tried again',
        );
      }
      await deps.clock.sleep(backoffMs(deps.random, attempt), request.signal);
    }
  });
}

function backoffMs(random: Random, attempt: number): number {
  const { first, last } = DOWNLOAD_BACKOFF_MS;
  const fullMs = Math.min(first * 2 ** (attempt - 1), last);
  return fullMs / 2 + (random.float() * fullMs) / 2;
}

/** A refusal stays one; what broke or came damaged may come whole the next time. */
function isWorthRetrying(error: unknown): boolean {
  if (error instanceof RegistryError) {
    return error.kind === 'unreachable' || error.kind === 'rate-limited';
  }
  return hasCode(error, Code.FAILED_PRECONDITION);
}

async function attemptFetch(
  deps: FetchDependencies,
  scope: LeaseScope,
  request: FetchRequest,
): Promise<void> {
  const { digest, size } = request.blob;
  // The name the Go client uses too (wire.md 6.5), so that its leftovers are of use.
  const ingest = { ref: `layer-${digest}`, total: size, expected: digest };
  const writer = await openIngest(scope, deps.clock, ingest, request.signal);
  if (!writer) return;
  try {
    if (writer.offset < size) await download(writer, request, deps.traffic);
    await commitOrKeep(scope, writer, { size, expected: digest });
  } catch (error) {
    writer.close();
    // What does not match its digest cannot be completed, only fetched anew.
    if (hasCode(error, Code.FAILED_PRECONDITION)) await dropIngest(scope, ingest.ref);
    throw error;
  } finally {
    writer.close();
  }
}

async function dropIngest(scope: LeaseScope, ref: string): Promise<void> {
  await scope.containerd.content.abort(ref).catch((error: unknown) => {
    if (!hasCode(error, Code.NOT_FOUND)) throw error;
  });
}

async function download(
  writer: ContentWriter,
  request: FetchRequest,
  traffic: ImageTraffic,
): Promise<void> {
  const { session, blob, onBytes, signal } = request;
  const answer = await session.getBlob(blob.digest, writer.offset);
  const onAbort = () => answer.body.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    let { skip } = answer;
    for await (const piece of bodyOf(answer.body, session, blob.digest)) {
      const useful = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - useful.length;
      if (writer.offset + useful.length > blob.size) {
        const message = `layer ${blob.digest} is longer than its manifest says`;
        throw new RegistryError('invalid', message);
      }
      await writer.write(useful);
      traffic[session.origin] += useful.length;
      onBytes?.(writer.offset);
    }
    signal?.throwIfAborted();
    if (writer.offset < blob.size) {
      throw new RegistryError('unreachable', `${blobUrl(session, blob.digest)}: unexpected EOF`);
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    answer.body.destroy();
  }
}

function blobUrl(session: PullSession, digest: string): string {
  return `${session.endpoint.url} blob ${digest}`;
}

async function* bodyOf(body: AsyncIterable<Buffer>, session: PullSession, digest: string) {
  try {
    yield* body;
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    throw unreachable('GET', blobUrl(session, digest), error);
  }
}
