import { Code, errorMessage, RpcError } from '@skep/platform';
import { verifyNodeCertificate } from '../node-certificate.js';
import type { NodeCertificateRequest } from '../root-ca.js';
import { parseCertificates } from '../x509/parse.js';
import { requestedKey } from '../x509/request.js';

/**
 * Sees to it that an external authority signed what it was asked for: a wrong certificate would
 * only be found out by its node, again and again. Throws INVALID_ARGUMENT.
 */
export function checkNodeCertificate(
  chainPem: string,
  request: NodeCertificateRequest,
  rootPem: string,
  nowMs: number,
): void {
  const { csrPem, nodeId, role, clusterId } = request;
  check(() => {
    const identity = verifyNodeCertificate(chainPem, rootPem, nowMs);
    const isTheirs =
      identity.nodeId === nodeId && identity.role === role && identity.clusterId === clusterId;
    if (!isTheirs) throw new Error('the certificate is for another subject');
    const { publicKeyDer } = parseCertificates(chainPem)[0]!;
    if (Buffer.compare(publicKeyDer, requestedKey(csrPem)) !== 0) {
      throw new Error('the certificate is for another key');
    }
  });
}

/**
 * Sees to it that a cross-signed certificate stands for the new root in the eyes of who trusts the
 * old one. Throws INVALID_ARGUMENT.
 */
export function checkCrossSigned(crossSignedPem: string, newPem: string, oldPem: string): void {
  check(() => {
    const made = parseCertificates(crossSignedPem)[0]!;
    const wanted = parseCertificates(newPem)[0]!;
    const isSame =
      Buffer.compare(made.subjectDer, wanted.subjectDer) === 0 &&
      Buffer.compare(made.publicKeyDer, wanted.publicKeyDer) === 0;
    if (!isSame || !made.x509.ca) throw new Error('it does not stand for the new root');
    const isTrusted = parseCertificates(oldPem).some(
      (root) =>
        Buffer.compare(root.subjectDer, made.issuerDer) === 0 &&
        made.x509.verify(root.x509.publicKey),
    );
    if (!isTrusted) throw new Error('the current root did not sign it');
  });
}

function check(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    const text = `the external CA signed something else: ${errorMessage(error)}`;
    throw new RpcError(Code.INVALID_ARGUMENT, text, { cause: error });
  }
}
