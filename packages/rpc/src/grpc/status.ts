import { constants } from 'node:http2';
import { Code, RpcError } from '@skep/platform';
import { NotSentError } from '../errors.js';
import type { Metadata } from '../metadata.js';

/** How gRPC puts a call's outcome, its limit of time and its end on HTTP/2. */

export const CONTENT_TYPE = 'application/grpc';
const STATUS = 'grpc-status';
const MESSAGE = 'grpc-message';
const TIMEOUT = 'grpc-timeout';

/** Trailers of a call; without an error, of one that succeeded. */
export function statusTrailers(error?: RpcError): Record<string, string> {
  if (!error) return { [STATUS]: '0' };
  const trailers: Record<string, string> = { [STATUS]: String(error.code) };
  if (error.message !== '') trailers[MESSAGE] = encodeMessage(error.message);
  return trailers;
}

/** What trailers say: 'ok', the error, or undefined when they hold no status. */
export function statusOf(trailers: Metadata): 'ok' | RpcError | undefined {
  const code = trailers[STATUS];
  if (typeof code !== 'string') return undefined;
  if (code === '0') return 'ok';
  const number = Number(code);
  const message = trailers[MESSAGE];
  return new RpcError(
    number in Code ? number : Code.UNKNOWN,
    typeof message === 'string' ? decodeMessage(message) : '',
  );
}

/** Bytes of UTF-8 outside of printable ASCII, and `%`, as `%XX`. */
function encodeMessage(message: string): string {
  return message.replace(/[^ -$&-~]/gu, (character) =>
    Buffer.from(character).reduce(
      (text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      '',
    ),
  );
}

/** Never throws: what is not an escape stays as it is, what is not UTF-8 becomes U+FFFD. */
function decodeMessage(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString(),
  );
}

const TIMEOUT_DIGITS_MAX = 8;
const UNIT_MS: Record<string, number> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** The header that tells the other side how long a call may take. */
export function timeoutHeader(timeoutMs: number | undefined): Record<string, string> {
  if (timeoutMs === undefined) return {};
  const ms = String(Math.max(1, Math.ceil(timeoutMs)));
  if (ms.length <= TIMEOUT_DIGITS_MAX) return { [TIMEOUT]: `${ms}m` };
  return { [TIMEOUT]: `${Math.ceil(timeoutMs / 1_000)}S` };
}

/**
 * How long the caller of a call will wait, ms; undefined when it does not say, or not in gRPC's
 * form.
 */
export function timeoutOf(headers: Metadata): number | undefined {
  const value = headers[TIMEOUT];
  if (typeof value !== 'string') return undefined;
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNIT_MS[unit]!;
}

/**
 * The error of a response that is not gRPC's (gRPC's "HTTP to status mapping"); undefined for 200.
 */
export function httpError(headers: Metadata): RpcError | undefined {
  const status = Number(headers[':status']);
  if (status === 200) return undefined;
  const codes: Record<number, Code> = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
  };
  return new RpcError(codes[status] ?? Code.UNKNOWN, `unexpected HTTP status code: ${status}`);
}

/** The error of a call whose stream the other side reset (gRPC's "HTTP2 errors" mapping). */
export function resetError(rstCode: number): RpcError {
  const text = `stream terminated by RST_STREAM with error code: ${rstCode}`;
  switch (rstCode) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return new NotSentError(text);
    case constants.NGHTTP2_CANCEL:
      return new RpcError(Code.CANCELED, text);
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new RpcError(Code.RESOURCE_EXHAUSTED, text);
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return new RpcError(Code.PERMISSION_DENIED, text);
    default:
      return new RpcError(Code.INTERNAL, text);
  }
}
