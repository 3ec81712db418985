import { create, toBinary } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { MessageSchema, MessageType, type Message as WireMessage } from '@skep/wire/raftpb';
import { type StreamRaftMessageRequest, StreamRaftMessageRequestSchema } from '@skep/wire/swarmkit';
import { CHUNK_BYTES_MAX, SNAPSHOT_BYTES_MAX } from '../limits.js';
import { fromWire, toWire } from './codec.js';
import type { Envelope } from './contract.js';

/** Bytes for the lengths and tags around a chunk's data that the message without it has not. */
const FRAME_BYTES = 32;

/**
 * The requests that carry a message: one, unless a snapshot makes it larger than 4 MiB. Then each
 * is the whole message with a slice of the snapshot's data (wire-raft.md 2.1). Made one by one, as
 * they are sent.
 */
export function* toChunks(
  envelope: Envelope,
  chunkBytesMax = CHUNK_BYTES_MAX,
): Generator<StreamRaftMessageRequest> {
  const data = envelope.snapshotData;
  if (!data) return yield request(toWire(envelope));
  const head = toBinary(MessageSchema, toWire({ ...envelope, snapshotData: undefined })).length;
  const sliceBytes = Math.max(1, chunkBytesMax - head - FRAME_BYTES);
  let offset = 0;
  do {
    const slice = data.subarray(offset, offset + sliceBytes);
    yield request(toWire({ ...envelope, snapshotData: slice }));
    offset += sliceBytes;
  } while (offset < data.length);
}

/** How many requests {@link toChunks} makes at most. */
export function chunkCount({ snapshotData }: Envelope): number {
  return 1 + Math.ceil(((snapshotData?.length ?? 0) * 2) / CHUNK_BYTES_MAX);
}

function request(message: WireMessage): StreamRaftMessageRequest {
  return create(StreamRaftMessageRequestSchema, { message });
}

/**
 * Puts a message together again from the requests of one stream, as they come. Throws
 * INVALID_ARGUMENT for requests that do not belong together, RESOURCE_EXHAUSTED for a snapshot over
 * `SNAPSHOT_BYTES_MAX`.
 */
export class SnapshotAssembler {
  readonly #bytesMax: number;
  #first: WireMessage | undefined;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax = SNAPSHOT_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  add({ message }: StreamRaftMessageRequest): void {
    if (!message) return;
    if (!this.#first) this.#first = message;
    else this.#checkFollows(message, this.#first);
    const part = message.snapshot?.data;
    if (message.type !== MessageType.MsgSnap || !part) return;
    this.#bytes += part.length;
    if (this.#bytes > this.#bytesMax) {
      const text = `raft: a snapshot of over ${this.#bytesMax} bytes is not taken`;
      throw new RpcError(Code.RESOURCE_EXHAUSTED, text);
    }
    this.#parts.push(part);
  }

  #checkFollows(message: WireMessage, first: WireMessage): void {
    const { type, index } = message;
    if (type === MessageType.MsgSnap && type === first.type && index === first.index) return;
    const text = 'raft: the parts of a streamed message do not belong together';
    throw new RpcError(Code.INVALID_ARGUMENT, text);
  }

  /** The whole message; undefined when there was none. */
  finish(): Envelope | undefined {
    if (!this.#first) return undefined;
    const envelope = fromWire(this.#first);
    const [only] = this.#parts;
    if (!only) return envelope;
    if (this.#parts.length === 1) return { ...envelope, snapshotData: only };
    const whole = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const part of this.#parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    return { ...envelope, snapshotData: whole };
  }
}

/** Reads the message that a peer streams; undefined when it sent none. */
export async function assemble(
  requests: AsyncIterable<StreamRaftMessageRequest>,
): Promise<Envelope | undefined> {
  const assembler = new SnapshotAssembler();
  for await (const part of requests) assembler.add(part);
  return assembler.finish();
}
