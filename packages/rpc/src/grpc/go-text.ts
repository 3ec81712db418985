import { errorMessage, hasErrno } from '@skep/platform';

/** Go's words for what keeps a connection from coming about: users and scripts know these. */

const SYSTEM: Record<string, string> = {
  ENOENT: 'connect: no such file or directory',
  EACCES: 'connect: permission denied',
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ECONNRESET: 'connect: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
};

const UNTRUSTED = 'x509: certificate signed by unknown authority';
const OUT_OF_DATE = 'x509: certificate has expired or is not yet valid';
const CERTIFICATE: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_HAS_EXPIRED: OUT_OF_DATE,
  CERT_NOT_YET_VALID: OUT_OF_DATE,
};

/** Why connecting to `address`, a path where the network is `unix`, failed. */
export function dialText(error: unknown, address: string, network: 'tcp' | 'unix' = 'tcp'): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const verification = CERTIFICATE[code];
  if (verification !== undefined) return handshakeText(verification);
  if (hasErrno(error, 'ERR_TLS_CERT_ALTNAME_INVALID')) {
    return handshakeText(`x509: ${errorMessage(error)}`);
  }
  if (code.startsWith('ERR_SSL_')) {
    return `authentication handshake failed: ${errorMessage(error)}`;
  }
  const reason = SYSTEM[code] ?? errorMessage(error);
  return `Error while dialing: dial ${network} ${address}: ${reason}`;
}

function handshakeText(reason: string): string {
  return `authentication handshake failed: tls: failed to verify certificate: ${reason}`;
}
