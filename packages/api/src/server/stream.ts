import { errorMessage } from '@skep/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** An abort signal that fires when the client has gone before the answer was complete. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('client went away'));
  });
  return controller.signal;
}

/** Writes one piece, waiting while the client is slower than we are. */
export async function writeChunk(reply: FastifyReply, chunk: Uint8Array | string): Promise<void> {
  if (reply.raw.destroyed || reply.raw.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      reply.raw.off('drain', go);
      reply.raw.off('close', go);
      resolve();
    };
    reply.raw.on('drain', go);
    reply.raw.on('close', go);
  });
}

/**
 * Answers with one JSON object a line, each sent as it comes. What fails before the first object is an
 * ordinary error answer; after that Docker's clients expect it as the last line.
 */
export async function streamJson(
  request: FastifyRequest,
  reply: FastifyReply,
  messages: AsyncIterable<object>,
  errorLine?: (message: string) => object,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  let item = await iterator.next();
  startStream(request, reply, 'application/json');
  try {
    while (!item.done && !reply.raw.destroyed) {
      await writeChunk(reply, `${JSON.stringify(item.value)}\r\n`);
      item = await iterator.next();
    }
  } catch (error) {
    if (errorLine) await writeChunk(reply, `${JSON.stringify(errorLine(errorMessage(error)))}\r\n`);
  } finally {
    await iterator.return?.();
    reply.raw.end();
  }
}

/** Sends the head of a streamed answer; from here on the route writes to `reply.raw` itself. */
export function startStream(
  _request: FastifyRequest,
  reply: FastifyReply,
  contentType: string,
): void {
  const headers = { ...reply.getHeaders(), 'content-type': contentType } as Record<string, string>;
  reply.hijack();
  reply.raw.writeHead(200, headers);
  reply.raw.flushHeaders();
}
