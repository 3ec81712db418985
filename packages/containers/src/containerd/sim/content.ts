import { createHash } from 'node:crypto';
import { Code, invariant, RpcError } from '@skep/platform';
import type { ContentApi, ContentWriter } from '../containerd.js';
import type { ContentInfo, Labels, NewIngest } from '../types.js';
import { alreadyExists, matchesFilters, mustGet, type SimWorld } from './world.js';

function digestOf(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

function infoOf({ data: _data, ...info }: ContentInfo & { data: Buffer }): ContentInfo {
  return { ...info, labels: { ...info.labels } };
}

/** Sets labels in place; an empty value removes one. */
function mergeLabels(into: Labels, labels: Labels): void {
  for (const [key, value] of Object.entries(labels)) {
    if (value === '') delete into[key];
    else into[key] = value;
  }
}

class SimWriter implements ContentWriter {
  readonly #world: SimWorld;
  readonly #ingest: NewIngest;
  readonly #leaseId: string | undefined;
  #isOpen = true;

  constructor(world: SimWorld, ingest: NewIngest, leaseId: string | undefined) {
    this.#world = world;
    this.#ingest = ingest;
    this.#leaseId = leaseId;
    world.openIngests.add(ingest.ref);
    const { total = 0, expected = '' } = ingest;
    if (!world.ingests.has(ingest.ref)) {
      world.ingests.set(ingest.ref, { data: Buffer.alloc(0), total, expected });
    }
  }

  get offset(): number {
    return this.#world.ingests.get(this.#ingest.ref)?.data.length ?? 0;
  }

  write(data: Uint8Array): Promise<void> {
    return this.#world.call(() => {
      invariant(this.#isOpen, 'a closed upload takes no more');
      const ingest = mustGet(this.#world.ingests, this.#ingest.ref, 'ingest');
      ingest.data = Buffer.concat([ingest.data, data]);
    });
  }

  commit(options: { size?: number; expected?: string; labels?: Labels }): Promise<string> {
    return this.#world.call(() => {
      const { data } = mustGet(this.#world.ingests, this.#ingest.ref, 'ingest');
      const digest = digestOf(data);
      const expected = options.expected ?? this.#ingest.expected ?? digest;
      const isWhole = (options.size ?? data.length) === data.length;
      if (!isWhole || expected !== digest) {
        const text = `unexpected commit digest ${digest}, expected ${expected}`;
        throw new RpcError(Code.FAILED_PRECONDITION, `${text}: failed precondition`);
      }
      this.close();
      this.#world.ingests.delete(this.#ingest.ref);
      if (this.#world.content.has(digest)) throw alreadyExists(`content ${digest}`);
      const createdNs = this.#world.nowNs();
      const labels = { ...options.labels };
      this.#world.content.set(digest, { digest, size: data.length, labels, createdNs, data });
      const lease = this.#world.leases.get(this.#leaseId ?? '');
      lease?.resources.push({ id: digest, type: 'content' });
      return digest;
    });
  }

  close(): void {
    if (this.#isOpen) this.#world.openIngests.delete(this.#ingest.ref);
    this.#isOpen = false;
  }
}

async function* read(world: SimWorld, digest: string, offset: number) {
  const PIECE_BYTES = 64 * 1024;
  const { data } = await world.call(() => mustGet(world.content, digest, 'content'));
  for (let at = offset; at < data.length; at += PIECE_BYTES) {
    yield data.subarray(at, at + PIECE_BYTES);
  }
}

export function simContentApi(world: SimWorld, leaseId: string | undefined): ContentApi {
  const statusOf = (ref: string) => {
    const { data, total, expected } = mustGet(world.ingests, ref, 'ingest');
    return { ref, offset: data.length, total, expected };
  };
  return {
    info: (digest) => world.call(() => infoOf(mustGet(world.content, digest, 'content'))),
    list: (filters = []) =>
      world.call(() =>
        [...world.content.values()].filter((info) => matchesFilters(info, filters)).map(infoOf),
      ),
    read: (digest, offset = 0) => read(world, digest, offset),
    readAll: (digest, limitBytes) =>
      world.call(() => {
        const { data, size } = mustGet(world.content, digest, 'content');
        if (size <= limitBytes) return data;
        const message = `content ${digest} is larger than ${limitBytes} bytes`;
        throw new RpcError(Code.RESOURCE_EXHAUSTED, message);
      }),
    setLabels: (digest, labels) =>
      world.call(() => mergeLabels(mustGet(world.content, digest, 'content').labels, labels)),
    delete: (digest) =>
      world.call(() => {
        mustGet(world.content, digest, 'content');
        world.content.delete(digest);
      }),
    openWriter: (ingest) =>
      world.call(() => {
        const { expected, ref } = ingest;
        if (expected !== undefined && world.content.has(expected)) {
          throw alreadyExists(`content ${expected}`);
        }
        if (world.openIngests.has(ref)) {
          throw new RpcError(Code.UNAVAILABLE, `ref ${ref} locked: unavailable`);
        }
        return new SimWriter(world, ingest, leaseId);
      }),
    ingestStatus: (ref) => world.call(() => statusOf(ref)),
    listIngests: () => world.call(() => [...world.ingests.keys()].map(statusOf)),
    abort: (ref) =>
      world.call(() => {
        mustGet(world.ingests, ref, 'ingest');
        world.ingests.delete(ref);
      }),
  };
}
