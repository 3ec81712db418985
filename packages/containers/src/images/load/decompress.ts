import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Code, RpcError } from '@skep/platform';

const MAGIC_BYTES = 6;
const GZIP = [0x1f, 0x8b];

/** Compressions Docker takes and Node cannot undo. */
const UNSUPPORTED: [string, number[]][] = [
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** The first bytes of a stream (fewer at its end), and the stream whole. */
async function peek(
  source: AsyncIterable<Uint8Array>,
): Promise<{ head: Buffer; whole: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < MAGIC_BYTES) {
    const next = await iterator.next();
    if (next.done) break;
    pieces.push(next.value);
    bytes += next.value.length;
  }
  async function* whole() {
    try {
      yield* pieces;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(pieces), whole: whole() };
}

/** The plain tar stream of an archive that may be gzipped. */
export async function decompressed(source: AsyncIterable<Uint8Array>): Promise<Readable> {
  const { head, whole } = await peek(source);
  for (const [name, magic] of UNSUPPORTED) {
    if (startsWith(head, magic)) {
      const message = `the archive is compressed with ${name}: give it plain or gzipped`;
      throw new RpcError(Code.INVALID_ARGUMENT, message);
    }
  }
  const output = new PassThrough();
  const stages = startsWith(head, GZIP) ? [createGunzip(), output] : [output];
  // What fails inside the pipeline is thrown at the reader of its end.
  pipeline([Readable.from(whole), ...stages]).catch((error: Error) => output.destroy(error));
  return output;
}

/** How a layer is packed, told from its first bytes. */
export function compressionOf(head: Uint8Array): 'gzip' | 'zstd' | 'none' {
  if (startsWith(head, GZIP)) return 'gzip';
  return startsWith(head, [0x28, 0xb5, 0x2f, 0xfd]) ? 'zstd' : 'none';
}
