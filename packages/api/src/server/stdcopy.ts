const STREAM_NUMBER = { stdin: 0, stdout: 1, stderr: 2, systemerr: 3 } as const;
const HEADER_BYTES = 8;

export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';
export const RAW_STREAM = 'application/vnd.docker.raw-stream';

/**
 * Frames output for a multiplexed stream: one byte of stream number, three of zero, the payload's length as
 * big-endian u32, the payload (Docker Engine API, ContainerAttach).
 */
export function frame(stream: keyof typeof STREAM_NUMBER, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  framed.fill(0, 0, 4);
  framed.writeUInt8(STREAM_NUMBER[stream], 0);
  framed.writeUInt32BE(payload.length, 4);
  framed.set(payload, HEADER_BYTES);
  return framed;
}
