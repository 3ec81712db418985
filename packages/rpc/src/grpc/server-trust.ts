import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { verifyNodeCertificate } from '@skep/ca';
import { RpcError } from '@skep/platform';

/**
 * How OpenSSL takes the certificate by which a dockerd's old root vouches for its new one while
 * it rotates them: issuer and subject have the same name, and Go writes no key identifier that
 * would tell them apart.
 */
const SEEMS_SELF_SIGNED = 'SELF_SIGNED_CERT_IN_CHAIN';
const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** Why the server that a connection was made to is not to be trusted; undefined when it is. */
export function distrust(
  socket: TLSSocket,
  serverName: string,
  rootPem: string,
  nowMs: number,
): Error | undefined {
  if (socket.authorized) return undefined;
  const code = String(socket.authorizationError);
  // To be asked once: each time, Node.js takes a certificate off the chain that a client holds.
  const certificate = socket.getPeerX509Certificate();
  const isVouchedFor = code === SEEMS_SELF_SIGNED && verifies(certificate, rootPem, nowMs);
  // Node.js compares names last: when that is what failed, nothing else is wrong.
  if (isVouchedFor || code === WRONG_NAME) return wrongName(certificate, serverName);
  return Object.assign(new Error(`the server's certificate is not trusted: ${code}`), { code });
}

/** In Go's words. */
function wrongName(
  certificate: X509Certificate | undefined,
  serverName: string,
): Error | undefined {
  if (certificate?.checkHost(serverName)) return undefined;
  const names = (certificate?.subjectAltName ?? '').replaceAll('DNS:', '');
  const text = `certificate is valid for ${names}, not ${serverName}`;
  return Object.assign(new Error(text), { code: WRONG_NAME });
}

/** Whether the roots vouch for the chain by our own walk along it, which looks at keys. */
function verifies(
  certificate: X509Certificate | undefined,
  rootPem: string,
  nowMs: number,
): boolean {
  try {
    verifyNodeCertificate(chainPem(certificate), rootPem, nowMs);
    return true;
  } catch (error) {
    if (error instanceof RpcError) return false;
    throw error;
  }
}

function chainPem(certificate: X509Certificate | undefined): string {
  let pem = '';
  for (let next = certificate; next; next = next.issuerCertificate) pem += `${next}\n`;
  return pem;
}
