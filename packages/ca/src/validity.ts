import { parseCertificates } from './x509/parse.js';

/** When certificates are valid, ms since the epoch. */
export interface Validity {
  notBeforeMs: number;
  notAfterMs: number;
}

/**
 * When all certificates of a PEM text are valid. Throws when one cannot be read or there is none.
 */
export function validityOf(pem: string): Validity {
  const certificates = parseCertificates(pem);
  return {
    notBeforeMs: Math.max(...certificates.map((certificate) => certificate.notBeforeMs)),
    notAfterMs: Math.min(...certificates.map((certificate) => certificate.notAfterMs)),
  };
}
