import { X509Certificate } from 'node:crypto';
import { contextTag, type DerValue, decodeAll, decodeFields, oidText } from './der.js';
import { type CertificateName, decodeName } from './name.js';
import { OID } from './oid.js';
import { decodePem, encodePem } from './pem.js';

/** A certificate that was read. */
export interface ParsedCertificate {
  x509: X509Certificate;
  pem: string;
  subject: CertificateName;
  subjectDer: Uint8Array;
  issuerDer: Uint8Array;
  publicKeyDer: Uint8Array;
  serialDer: Uint8Array;
  validityDer: Uint8Array;
  /** The DER of each extension. */
  extensions: readonly Uint8Array[];
  /** Undefined where the certificate has none. */
  subjectKeyId: Uint8Array | undefined;
  /** Dotted identifier of the algorithm that signed it. */
  signatureOid: string;
  notBeforeMs: number;
  notAfterMs: number;
}

/**
 * The certificates of a PEM text, in order. Throws on one that cannot be read, and when there is
 * none.
 */
export function parseCertificates(pem: string): ParsedCertificate[] {
  const blocks = decodePem(pem).filter(({ label }) => label === 'CERTIFICATE');
  if (blocks.length === 0) throw new Error('no certificates found');
  return blocks.map(({ der }) => parseCertificate(der));
}

function parseCertificate(der: Uint8Array): ParsedCertificate {
  const x509 = new X509Certificate(der);
  const [tbs, algorithm] = decodeFields(der);
  let fields = tbs ? decodeFields(tbs.raw) : [];
  if (fields[0]?.tag === contextTag(0)) fields = fields.slice(1);
  const [serial, , issuer, validity, subject, publicKey] = fields;
  if (!serial || !issuer || !validity || !subject || !publicKey || !algorithm) {
    throw new Error('malformed certificate');
  }
  const extensionList = extensionsOf(fields);
  return {
    x509,
    pem: encodePem('CERTIFICATE', der),
    subject: decodeName(subject.raw),
    subjectDer: Uint8Array.from(subject.raw),
    issuerDer: Uint8Array.from(issuer.raw),
    publicKeyDer: Uint8Array.from(publicKey.raw),
    serialDer: Uint8Array.from(serial.raw),
    validityDer: Uint8Array.from(validity.raw),
    extensions: extensionList,
    subjectKeyId: subjectKeyIdOf(extensionList),
    signatureOid: oidText(decodeFields(algorithm.raw)[0]?.content ?? new Uint8Array(0)),
    notBeforeMs: Date.parse(x509.validFrom),
    notAfterMs: Date.parse(x509.validTo),
  };
}

function extensionsOf(fields: readonly DerValue[]): Uint8Array[] {
  const holder = fields.find(({ tag }) => tag === contextTag(3));
  const [list] = holder ? decodeFields(holder.raw, contextTag(3)) : [];
  return list ? decodeFields(list.raw).map(({ raw }) => Uint8Array.from(raw)) : [];
}

function subjectKeyIdOf(list: readonly Uint8Array[]): Uint8Array | undefined {
  const found = list.find((value) => extensionType(value) === OID.subjectKeyId);
  const value = found && decodeFields(found).at(-1);
  const [id] = value ? decodeAll(value.content) : [];
  return id && Uint8Array.from(id.content);
}

/** What an extension is of: a dotted identifier. */
export function extensionType(extensionDer: Uint8Array): string {
  return oidText(decodeFields(extensionDer)[0]?.content ?? new Uint8Array(0));
}
