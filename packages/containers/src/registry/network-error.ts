import { errorMessage } from '@skep/platform';
import { RegistryError } from './errors.js';

interface SystemError {
  code?: unknown;
  syscall?: unknown;
  address?: unknown;
  port?: unknown;
  hostname?: unknown;
  errors?: unknown;
  cause?: unknown;
}

const SYSTEM_TEXT: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'i/o timeout',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'broken pipe',
};

/** OpenSSL's and Node's names for a certificate that does not convince, in Go's words. */
const CERTIFICATE_TEXT: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'x509: certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'x509: certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'x509: certificate signed by unknown authority',
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'x509: certificate is not valid for this name',
};

/** The innermost error that has a code: several addresses tried and wrappers hide it. */
function root(error: unknown): SystemError {
  let current = error as SystemError;
  const DEPTH_MAX = 5;
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const nested = Array.isArray(current.errors) ? current.errors[0] : current.cause;
    if (typeof nested !== 'object' || nested === null) break;
    current = nested as SystemError;
  }
  return current;
}

/** Go's words for a connection that failed: what users of Docker know and search for. */
export function dialErrorText(error: unknown): string {
  const { code, syscall, address, port, hostname } = root(error);
  const name = String(code ?? '');
  if (name === 'ENOTFOUND' || name === 'EAI_AGAIN') {
    const reason = name === 'ENOTFOUND' ? 'no such host' : 'Temporary failure in name resolution';
    return `dial tcp: lookup ${String(hostname)}: ${reason}`;
  }
  const certificate = CERTIFICATE_TEXT[name];
  if (certificate !== undefined) return `tls: failed to verify certificate: ${certificate}`;
  if (name === 'ERR_SSL_WRONG_VERSION_NUMBER' || name === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'http: server gave HTTP response to HTTPS client';
  }
  if (name === 'UND_ERR_CONNECT_TIMEOUT') return 'dial tcp: i/o timeout';
  if (name === 'UND_ERR_HEADERS_TIMEOUT' || name === 'UND_ERR_BODY_TIMEOUT') {
    return 'net/http: timeout awaiting response';
  }
  if (name === 'UND_ERR_SOCKET') return 'unexpected EOF';
  const text = SYSTEM_TEXT[name];
  if (text === undefined) return errorMessage(error);
  if (syscall === 'connect') return `dial tcp ${address}:${port}: connect: ${text}`;
  return `read tcp: ${text}`;
}

/** The error for a request that got no answer: `Get "https://HOST/v2/": dial tcp …`. */
export function unreachable(method: string, url: string, error: unknown): RegistryError {
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const message = `${verb} "${url}": ${dialErrorText(error)}`;
  return new RegistryError('unreachable', message, { cause: error });
}
