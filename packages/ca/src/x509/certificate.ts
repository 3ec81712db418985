import { createHash, X509Certificate } from 'node:crypto';
import type { Random } from '@skep/platform';
import {
  bitString,
  contextTag,
  type DerValue,
  decodeFields,
  encode,
  implicitTag,
  oid,
  oidText,
  sequence,
  Tag,
  text,
  time,
  unsignedInteger,
} from './der.js';
import { decodePem, encodePem } from './pem.js';
import type { Signer } from './signer.js';

const OID = {
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** The parts of a name that swarm certificates use. */
export interface CertificateName {
  commonName: string;
  organizationalUnit?: string;
  organization?: string;
}

export interface CertificateTemplate {
  subject: CertificateName;
  /** The DER of the subject's SubjectPublicKeyInfo. */
  publicKeyDer: Uint8Array;
  /** DNS names of the subject. */
  dnsNames: readonly string[];
  isAuthority: boolean;
  notBeforeMs: number;
  notAfterMs: number;
}

/** Who signs: its key, and the DER of its name. */
export interface Issuer {
  signer: Signer;
  nameDer: Uint8Array;
}

const SERIAL_BYTES = 20;
/**
 * digitalSignature and keyEncipherment; certSign and cRLSign; each with its count of unused bits.
 */
const LEAF_USAGE = { bits: 0b1010_0000, unused: 5 };
const AUTHORITY_USAGE = { bits: 0b0000_0110, unused: 1 };

/** The DER of a name, its parts in Go's order. */
export function encodeName(name: CertificateName): Uint8Array {
  const part = (type: string, value: string | undefined) =>
    value === undefined ? [] : [encode(Tag.SET, sequence(oid(type), text(value)))];
  return sequence(
    ...part(OID.organization, name.organization),
    ...part(OID.organizationalUnit, name.organizationalUnit),
    ...part(OID.commonName, name.commonName),
  );
}

/** Signs a certificate and returns its PEM. */
export function issue(template: CertificateTemplate, issuer: Issuer, random: Random): string {
  const { signer } = issuer;
  const serial = Uint8Array.from(random.bytes(SERIAL_BYTES));
  serial[0] = (serial[0] ?? 0) & 0x7f;
  const tbs = sequence(
    encode(contextTag(0), unsignedInteger(Uint8Array.of(2))),
    unsignedInteger(serial),
    signer.algorithmDer,
    issuer.nameDer,
    sequence(time(template.notBeforeMs), time(template.notAfterMs)),
    encodeName(template.subject),
    template.publicKeyDer,
    encode(contextTag(3), sequence(...extensions(template, signer))),
  );
  const certificate = sequence(tbs, signer.algorithmDer, bitString(signer.sign(tbs)));
  return encodePem('CERTIFICATE', certificate);
}

function extensions(template: CertificateTemplate, signer: Signer): Uint8Array[] {
  const { isAuthority, dnsNames, publicKeyDer } = template;
  const usage = isAuthority ? AUTHORITY_USAGE : LEAF_USAGE;
  const constraints = isAuthority ? [encode(Tag.BOOLEAN, Uint8Array.of(0xff))] : [];
  const list = [
    extension(OID.keyUsage, bitString(Uint8Array.of(usage.bits), usage.unused), true),
    extension(OID.basicConstraints, sequence(...constraints), true),
    extension(OID.subjectKeyId, encode(Tag.OCTET_STRING, keyId(publicKeyDer))),
    extension(OID.authorityKeyId, sequence(encode(implicitTag(0), keyId(signer.publicKeyDer)))),
  ];
  if (isAuthority) return list;
  const usages = sequence(oid(OID.serverAuth), oid(OID.clientAuth));
  const names = dnsNames.map((name) => encode(implicitTag(2), Buffer.from(name)));
  list.push(extension(OID.extendedKeyUsage, usages));
  list.push(extension(OID.subjectAltName, sequence(...names)));
  return list;
}

function extension(type: string, value: Uint8Array, isCritical = false): Uint8Array {
  const critical = isCritical ? [encode(Tag.BOOLEAN, Uint8Array.of(0xff))] : [];
  return sequence(oid(type), ...critical, encode(Tag.OCTET_STRING, value));
}

/**
 * SHA-1 of the key's bits, the usual key identifier (RFC 5280 4.2.1.2): a name, not a protection.
 */
function keyId(publicKeyDer: Uint8Array): Uint8Array {
  const bits = decodeFields(publicKeyDer)[1]?.content.subarray(1) ?? new Uint8Array(0);
  return createHash('sha1').update(bits).digest();
}

/** A certificate that was read. */
export interface ParsedCertificate {
  x509: X509Certificate;
  pem: string;
  subject: CertificateName;
  subjectDer: Uint8Array;
  issuerDer: Uint8Array;
  publicKeyDer: Uint8Array;
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
  const [, , issuer, , subject, publicKey] = fields;
  if (!issuer || !subject || !publicKey || !algorithm) throw new Error('malformed certificate');
  return {
    x509,
    pem: encodePem('CERTIFICATE', der),
    subject: decodeName(subject),
    subjectDer: Uint8Array.from(subject.raw),
    issuerDer: Uint8Array.from(issuer.raw),
    publicKeyDer: Uint8Array.from(publicKey.raw),
    signatureOid: oidText(decodeFields(algorithm.raw)[0]?.content ?? new Uint8Array(0)),
    notBeforeMs: Date.parse(x509.validFrom),
    notAfterMs: Date.parse(x509.validTo),
  };
}

function decodeName(name: DerValue): CertificateName {
  const parts = new Map<string, string>();
  for (const set of decodeFields(name.raw)) {
    for (const pair of decodeFields(set.raw, Tag.SET)) {
      const [type, value] = decodeFields(pair.raw);
      if (type && value) parts.set(oidText(type.content), value.content.toString());
    }
  }
  const result: CertificateName = { commonName: parts.get(OID.commonName) ?? '' };
  const organization = parts.get(OID.organization);
  const unit = parts.get(OID.organizationalUnit);
  if (organization !== undefined) result.organization = organization;
  if (unit !== undefined) result.organizationalUnit = unit;
  return result;
}
