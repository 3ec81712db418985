import { Code, RpcError } from '@skep/platform';
import { content } from '@skep/wire/containerd';
import type { Connection } from '../connection.js';
import type { ContentApi } from '../containerd.js';
import { DELETE_TIMEOUT_MS } from '../limits.js';
import type { ContentInfo, IngestStatus } from '../types.js';
import { StreamContentWriter } from './content-writer.js';
import { timestampNs } from './encoding.js';

const { method } = content.Content;

function infoFromWire(wire: content.Info): ContentInfo {
  return {
    digest: wire.digest,
    size: Number(wire.size),
    labels: wire.labels,
    createdNs: timestampNs(wire.createdAt),
  };
}

function statusFromWire(wire: content.Status): IngestStatus {
  const { ref, offset, total, expected } = wire;
  return { ref, offset: Number(offset), total: Number(total), expected };
}

async function* read(connection: Connection, digest: string, offset: number) {
  const request = { digest, offset: BigInt(offset), size: 0n };
  for await (const piece of connection.serverStream(method.read, request)) yield piece.data;
}

async function readAll(connection: Connection, digest: string, limitBytes: number) {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of read(connection, digest, 0)) {
    bytes += piece.length;
    if (bytes > limitBytes) {
      const message = `content ${digest} is larger than ${limitBytes} bytes`;
      throw new RpcError(Code.RESOURCE_EXHAUSTED, message);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export function contentApi(connection: Connection): ContentApi {
  return {
    async info(digest) {
      const { info } = await connection.call(method.info, { digest });
      return infoFromWire(info as content.Info);
    },
    async list(filters = []) {
      const infos: ContentInfo[] = [];
      for await (const page of connection.serverStream(method.list, { filters })) {
        infos.push(...page.info.map(infoFromWire));
      }
      return infos;
    },
    read: (digest, offset = 0) => read(connection, digest, offset),
    readAll: (digest, limitBytes) => readAll(connection, digest, limitBytes),
    async setLabels(digest, labels) {
      const paths = Object.keys(labels).map((key) => `labels.${key}`);
      await connection.call(method.update, { info: { digest, labels }, updateMask: { paths } });
    },
    async delete(digest) {
      await connection.call(method.delete, { digest }, { timeoutMs: DELETE_TIMEOUT_MS });
    },
    openWriter: (ingest) => StreamContentWriter.open(connection, ingest),
    async ingestStatus(ref) {
      const { status } = await connection.call(method.status, { ref });
      return statusFromWire(status as content.Status);
    },
    async listIngests() {
      const { statuses } = await connection.call(method.listStatuses, {});
      return statuses.map(statusFromWire);
    },
    async abort(ref) {
      await connection.call(method.abort, { ref });
    },
  };
}
