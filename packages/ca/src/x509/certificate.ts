import { createHash } from 'node:crypto';
import type { Random } from '@skep/platform';
import {
  bitString,
  contextTag,
  decodeFields,
  encode,
  implicitTag,
  oid,
  sequence,
  Tag,
  time,
  unsignedInteger,
} from './der.js';
import { OID } from './oid.js';
import { extensionType, parseCertificates } from './parse.js';
import { encodePem } from './pem.js';
import type { Signer } from './signer.js';

export interface CertificateTemplate {
  /** The DER of the subject's name. */
  subjectDer: Uint8Array;
  /** The DER of the subject's SubjectPublicKeyInfo. */
  publicKeyDer: Uint8Array;
  /** DNS names of the subject. */
  dnsNames: readonly string[];
  isAuthority: boolean;
  notBeforeMs: number;
  notAfterMs: number;
}

/** Who signs: its key, and what its certificate says of it. */
export interface Issuer {
  signer: Signer;
  /** The DER of its name. */
  nameDer: Uint8Array;
  /** Its subject key identifier; derived from the key where the certificate has none. */
  keyId?: Uint8Array | undefined;
}

const SERIAL_BYTES = 20;
/**
 * digitalSignature and keyEncipherment; certSign and cRLSign; each with its count of unused bits.
 */
const LEAF_USAGE = { bits: 0b1010_0000, unused: 5 };
const AUTHORITY_USAGE = { bits: 0b0000_0110, unused: 1 };

/** Signs a certificate and returns its PEM. */
export function issue(template: CertificateTemplate, issuer: Issuer, random: Random): string {
  const serial = Uint8Array.from(random.bytes(SERIAL_BYTES));
  serial[0] = (serial[0] ?? 0) & 0x7f;
  return signCertificate(
    {
      serialDer: unsignedInteger(serial),
      validityDer: sequence(time(template.notBeforeMs), time(template.notAfterMs)),
      subjectDer: template.subjectDer,
      publicKeyDer: template.publicKeyDer,
      extensions: extensions(template, issuer),
    },
    issuer,
  );
}

/** Says anew, with another's signature, that a certificate's key is its subject's: its PEM. */
export function crossSign(certificatePem: string, issuer: Issuer): string {
  const [certificate] = parseCertificates(certificatePem);
  if (!certificate?.x509.ca) throw new Error('certificate not a CA');
  const { serialDer, validityDer, subjectDer, publicKeyDer, extensions: kept } = certificate;
  const others = kept.filter((value) => extensionType(value) !== OID.authorityKeyId);
  const all = [...others, authorityKeyId(issuer)];
  return signCertificate(
    { serialDer, validityDer, subjectDer, publicKeyDer, extensions: all },
    issuer,
  );
}

/** The fields of a certificate that its issuer does not determine, all DER. */
interface CertificateFields {
  serialDer: Uint8Array;
  validityDer: Uint8Array;
  subjectDer: Uint8Array;
  publicKeyDer: Uint8Array;
  extensions: readonly Uint8Array[];
}

function signCertificate(fields: CertificateFields, { signer, nameDer }: Issuer): string {
  const tbs = sequence(
    encode(contextTag(0), unsignedInteger(Uint8Array.of(2))),
    fields.serialDer,
    signer.algorithmDer,
    nameDer,
    fields.validityDer,
    fields.subjectDer,
    fields.publicKeyDer,
    encode(contextTag(3), sequence(...fields.extensions)),
  );
  const certificate = sequence(tbs, signer.algorithmDer, bitString(signer.sign(tbs)));
  return encodePem('CERTIFICATE', certificate);
}

function extensions(template: CertificateTemplate, issuer: Issuer): Uint8Array[] {
  const { isAuthority, dnsNames, publicKeyDer } = template;
  const usage = isAuthority ? AUTHORITY_USAGE : LEAF_USAGE;
  const constraints = isAuthority ? [encode(Tag.BOOLEAN, Uint8Array.of(0xff))] : [];
  const list = [
    extension(OID.keyUsage, bitString(Uint8Array.of(usage.bits), usage.unused), true),
    extension(OID.basicConstraints, sequence(...constraints), true),
    extension(OID.subjectKeyId, encode(Tag.OCTET_STRING, keyId(publicKeyDer))),
    authorityKeyId(issuer),
  ];
  if (isAuthority) return list;
  const usages = sequence(oid(OID.serverAuth), oid(OID.clientAuth));
  const names = dnsNames.map((name) => encode(implicitTag(2), Buffer.from(name)));
  list.push(extension(OID.extendedKeyUsage, usages));
  list.push(extension(OID.subjectAltName, sequence(...names)));
  return list;
}

/** Names the issuer's key as the issuer's own certificate does, or verifiers find no chain. */
function authorityKeyId({ signer, keyId: given }: Issuer): Uint8Array {
  const id = given ?? keyId(signer.publicKeyDer);
  return extension(OID.authorityKeyId, sequence(encode(implicitTag(0), id)));
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
