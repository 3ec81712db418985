/** What stands in the first bytes of each datagram, so that nothing else is answered. */
const MAGIC = 0x736b_6570;

const Kind = { ASK: 1, ANSWER: 2 } as const;

/** Bytes that mean something; what follows them makes the datagram as long as it should be. */
export const PROBE_BYTES_MIN = 16;

export interface ProbeMessage {
  kind: 'ask' | 'answer';
  /** Of the asker. */
  number: bigint;
}

/** Magic u32, kind u32, number u64, big-endian, then zeros up to `bytes`. */
export function encodeProbe({ kind, number }: ProbeMessage, bytes = PROBE_BYTES_MIN): Uint8Array {
  const message = new Uint8Array(Math.max(bytes, PROBE_BYTES_MIN));
  const view = new DataView(message.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, kind === 'ask' ? Kind.ASK : Kind.ANSWER);
  view.setBigUint64(8, number);
  return message;
}

/** Undefined for what is no probe. */
export function decodeProbe(message: Uint8Array): ProbeMessage | undefined {
  if (message.length < PROBE_BYTES_MIN) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.getUint32(0) !== MAGIC) return undefined;
  const number = view.getBigUint64(8);
  switch (view.getUint32(4)) {
    case Kind.ASK:
      return { kind: 'ask', number };
    case Kind.ANSWER:
      return { kind: 'answer', number };
    default:
      return undefined;
  }
}
