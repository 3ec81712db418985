import { X509Certificate } from 'node:crypto';

const SEQUENCE = 0x30;
const EXPLICIT_VERSION = 0xa0;
/** Fields of a certificate between its version and its subject: serial, algorithm, issuer, validity. */
const FIELDS_BEFORE_SUBJECT = 4;

/** What identifies the issuer of node certificates: the root's subject and public key, both as DER. */
export function issuerOf(
  rootPem: Uint8Array,
): { subject: Uint8Array; publicKey: Uint8Array } | undefined {
  if (rootPem.length === 0) return undefined;
  try {
    const certificate = new X509Certificate(rootPem);
    return {
      subject: subjectOf(certificate.raw),
      publicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }),
    };
  } catch {
    return undefined; // unreadable: the fields are left out, as Docker does
  }
}

/** Cuts the subject out of a certificate: Node shows it as text only. */
function subjectOf(der: Buffer): Buffer {
  const certificate = element(der, 0);
  const signed = element(der, certificate.contentStart);
  let at = signed.contentStart;
  if (der[at] === EXPLICIT_VERSION) at = element(der, at).end;
  for (let field = 0; field < FIELDS_BEFORE_SUBJECT; field++) at = element(der, at).end;
  if (der[at] !== SEQUENCE) throw new Error('no subject where one must be');
  return der.subarray(at, element(der, at).end);
}

/** Where the content of the DER element at an offset starts, and where the element ends. */
function element(der: Buffer, at: number): { contentStart: number; end: number } {
  const first = der.readUInt8(at + 1);
  if (first < 0x80) return { contentStart: at + 2, end: at + 2 + first };
  const lengthBytes = first & 0x7f;
  const contentStart = at + 2 + lengthBytes;
  return { contentStart, end: contentStart + der.readUIntBE(at + 2, lengthBytes) };
}
